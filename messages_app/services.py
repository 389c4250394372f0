"""Writes of messages. `values` are clean values of the fields of MESSAGES."""

from collections.abc import Mapping, Sequence

from django.utils import timezone

from chats.models import ChatKey
from infra.versions import Versions
from ingest.commit import accept, accept_all
from ingest.idempotency import IdempotentRequest
from ingest.read_your_writes import update
from ingest.records import NumberedRow
from messages_app.errors import MessageNotFound
from messages_app.models import Message
from messages_app.records import MESSAGES
from messages_app.selectors import message_row


def create_message(
    *,
    application_token: str,
    chat_number: int,
    request: IdempotentRequest | None = None,
    **values: str,
) -> NumberedRow:
    """A new message with the chat's next number; a repeated request gets the first one.

    Raises ChatNotFound, KeyReused, Unavailable.
    """
    return accept(
        MESSAGES.new(ChatKey(application_token, chat_number), accepted_at=None, **values), request
    )


def create_messages(
    *,
    application_token: str,
    chat_number: int,
    messages: Sequence[Mapping[str, str]],
    request: IdempotentRequest | None = None,
) -> Sequence[NumberedRow]:
    """New messages with the chat's next numbers, all or none. Raises like `create_message`."""
    now = timezone.now()
    chat = ChatKey(application_token, chat_number)
    rows = [MESSAGES.new(chat, accepted_at=now, **values) for values in messages]
    return accept_all(rows, request)


def edit_message(
    *,
    application_token: str,
    chat_number: int,
    message_number: int,
    expected: Versions | None = None,
    **values: str,
) -> Message:
    """The message with these new values. Raises MessageNotFound, Stale, Unavailable."""
    key = (application_token, chat_number, message_number)
    message = update(message_row(*key), key, expected, **values)
    if message is None:
        raise MessageNotFound
    return message
