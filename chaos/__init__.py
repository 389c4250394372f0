"""The fault matrix: parts of the local stack are broken under load, one case after the other.

Each case puts a load on the stack whose every request is journaled, breaks something in its middle,
heals it, and then judges what was answered by what the database, the API and the index hold.
"""
