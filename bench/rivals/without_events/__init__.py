"""This system without its log of events, to measure what the log costs."""
