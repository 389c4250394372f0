"""Requests that may be repeated: the same key gets the same answer, for a day."""
