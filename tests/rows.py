"""New rows for tests that bypass the API."""

from typing import Any

from applications.models import ApplicationKey
from chats.models import ChatKey
from chats.records import CHATS
from ingest.records import NewRow
from messages_app.records import MESSAGES


def new_chat(token: str, name: str, **about: Any) -> NewRow:
    """A chat without a number; `about` as NewRow has it."""
    return NewRow(CHATS, ApplicationKey(token), (name,), **about)


def new_message(token: str, chat_number: int, body: str, **about: Any) -> NewRow:
    """A message without a number; `about` as NewRow has it."""
    return NewRow(MESSAGES, ChatKey(token, chat_number), (body,), **about)
