"""New rows for tests that bypass the API."""

from dataclasses import replace
from typing import Any

from applications.models import ApplicationKey
from chats.models import Chat, ChatKey
from chats.records import CHATS
from ingest.commit import accept
from ingest.edits import store_if_pending
from ingest.records import NewRow, NumberedRow
from messages_app.models import Message
from messages_app.records import MESSAGES


def new_chat(token: str, name: str, **about: Any) -> NewRow:
    """A chat without a number; `about` as NewRow has it."""
    return replace(CHATS.new(ApplicationKey(token), name=name), **about)


def new_message(token: str, chat_number: int, body: str, **about: Any) -> NewRow:
    """A message without a number; `about` as NewRow has it."""
    return replace(MESSAGES.new(ChatKey(token, chat_number), body=body), **about)


def create_chat(*, application_token: str, name: str) -> NumberedRow:
    """A chat that is accepted as by the API."""
    return accept(CHATS.new((application_token,), name=name))


def create_message(*, application_token: str, chat_number: int, body: str) -> NumberedRow:
    """A message that is accepted as by the API."""
    return accept(MESSAGES.new((application_token, chat_number), body=body))


def get_chat(*, application_token: str, chat_number: int) -> Chat:
    """The chat, stored by now."""
    key = (application_token, chat_number)
    store_if_pending(key)
    chat: Chat = CHATS.rows(key).get()
    return chat


def get_message(*, application_token: str, chat_number: int, message_number: int) -> Message:
    """The message, stored by now."""
    key = (application_token, chat_number, message_number)
    store_if_pending(key)
    message: Message = MESSAGES.rows(key).get()
    return message
