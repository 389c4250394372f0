"""Faults of clusters: nodes of each engine that are killed, paused, cut off, moved, restarted."""
