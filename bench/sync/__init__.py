"""The plain design: number and row in the request, in one transaction that locks the chat's row.

It loses nothing either and needs no queue, but each chat takes one request at a time.
"""
