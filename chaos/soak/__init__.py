"""Minutes of steady load without a fault: memory and backlogs must not grow."""
