"""What was accepted and cannot be stored or read: kept, shown, replayed, discarded."""
