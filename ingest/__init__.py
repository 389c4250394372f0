"""Accepting new chats and messages: many requests, one commit.

`group` brings requests together, `rows` says what is accepted, `database` numbers and stores a
group in one transaction.
"""
