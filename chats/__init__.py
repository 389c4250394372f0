"""Chats: numbered from 1 within their application, each with a name."""
