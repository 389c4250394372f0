"""Purging: messages that are older than a date go, from the table, the index and the lists.

`prefix` tells what may go of a chat, `removing` takes it out, `running` goes through the chats.
"""
