"""Converters: the exports of other chat systems, as lines of this system's export.

A converter (slack, mattermost, zulip) reads an archive and yields chats and messages of its system.
`spool` sorts and numbers them. docs/conversations.md says what becomes of everything.
"""
