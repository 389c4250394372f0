"""Reads of chats."""

from django.db.models import QuerySet

from chats.errors import ChatNotFound
from chats.models import Chat
from ingest.read_your_writes import find_pending_or_stored


def chat_row(application_token: str, chat_number: int) -> "QuerySet[Chat]":
    """The stored chat of this number, or an empty query set."""
    return chats_of(application_token=application_token).filter(chat_number=chat_number)


def get_chat(*, application_token: str, chat_number: int) -> Chat:
    """The chat of this number, stored or pending. Raises ChatNotFound, Unavailable."""
    key = (application_token, chat_number)
    rows = chat_row(*key)
    chat = rows.first() or find_pending_or_stored(rows, key)
    if chat is None:
        raise ChatNotFound
    return chat


def require_chat(*, application_token: str, chat_number: int) -> None:
    """Raises ChatNotFound if the application has no such chat, or Unavailable."""
    key = (application_token, chat_number)
    rows = chat_row(*key)
    if not rows.exists() and find_pending_or_stored(rows, key) is None:
        raise ChatNotFound


def chats_of(*, application_token: str) -> "QuerySet[Chat]":
    """The stored chats of one application; empty if there is no such application."""
    return Chat.objects.filter(application_token=application_token)
