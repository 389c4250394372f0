"""Retention: old messages are purged from the table, the search index and the lists."""
