"""Minutes of steady load with nothing broken: memory stays flat, and nothing piles up."""
