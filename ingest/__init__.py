"""The way of a write: accepted in groups, numbered, queued, inserted in batches.

`commit` accepts a group of requests that `group_commit` brought together; `numbering` gives the
numbers; `writer` is the worker's task, and `idempotent_insert` stores each row exactly once.
"""
