"""Numbering: who gives the next number, and why no number is ever given twice.

`authority` is the one row that says who gives numbers now. `leases` are the numbers that the
database lends to Redis, `blocks` is how Redis gives them away. `fencing` verifies that a server is
still the Redis that holds the leases. `agent` is the background thread of each process.
"""
