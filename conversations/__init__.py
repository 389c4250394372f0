"""Conversations as JSON lines: imported exactly once however often interrupted, and exported."""
