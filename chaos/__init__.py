"""The fault matrix: cases that break parts of the local stack under load, one at a time.

Each case runs a journaled load against the stack, injects a fault halfway, heals it, and then
compares the responses with the database, the API and the search index.
"""
