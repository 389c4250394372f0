"""Reads of messages."""

from django.db.models import QuerySet

from ingest.read_your_writes import find_pending_or_stored
from messages_app.errors import MessageNotFound
from messages_app.models import Message


def message_row(
    application_token: str, chat_number: int, message_number: int
) -> "QuerySet[Message]":
    """The stored message of this number, or an empty query set."""
    return messages_of(application_token=application_token, chat_number=chat_number).filter(
        message_number=message_number
    )


def get_message(*, application_token: str, chat_number: int, message_number: int) -> Message:
    """The message of this number, stored or pending. Raises MessageNotFound, Unavailable."""
    key = (application_token, chat_number, message_number)
    rows = message_row(*key)
    message = rows.first() or find_pending_or_stored(rows, key)
    if message is None:
        raise MessageNotFound
    return message


def messages_of(*, application_token: str, chat_number: int) -> "QuerySet[Message]":
    """The stored messages of one chat; empty if there is no such chat."""
    return Message.objects.filter(application_token=application_token, chat_number=chat_number)
