"""Requests that may be repeated: the same key gets the same answer, for a day.

While Redis gives numbers it also remembers keys, in the step that gives the number
(operations/numbering/blocks.lua); the table has those of all stored rows, written with them.
"""
