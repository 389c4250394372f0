"""What can be done to a message. Bodies come in clean (ingest.text_rules)."""

from collections.abc import Sequence

from django.utils import timezone

from chats.models import ChatKey
from infra.versions import Versions
from ingest.commit import accept, accept_all
from ingest.idempotency.keys import IdempotentRequest
from ingest.read_your_writes import update
from ingest.records import NumberedRow
from messages_app.errors import MessageNotFound
from messages_app.models import Message
from messages_app.records import MESSAGES
from messages_app.selectors import message_row


def create_message(
    *, application_token: str, chat_number: int, body: str, request: IdempotentRequest | None = None
) -> NumberedRow:
    """A new message with the chat's next number; the same again for a repeat of the request.

    Raises ChatNotFound, KeyReused, Unavailable.
    """
    return accept(MESSAGES.new(ChatKey(application_token, chat_number), body=body), request)


def create_messages(
    *,
    application_token: str,
    chat_number: int,
    bodies: Sequence[str],
    request: IdempotentRequest | None = None,
) -> Sequence[NumberedRow]:
    """New messages with the chat's next numbers, all of them or none. Raises as above."""
    now = timezone.now()
    chat = ChatKey(application_token, chat_number)
    rows = [MESSAGES.new(chat, body=body, accepted_at=now) for body in bodies]
    return accept_all(rows, request)


def edit_message(
    *,
    application_token: str,
    chat_number: int,
    message_number: int,
    body: str,
    expected: Versions | None = None,
) -> Message:
    """The message with its new body. Raises MessageNotFound, Stale, Unavailable."""
    key = (application_token, chat_number, message_number)
    message = update(message_row(*key), key, expected, body=body)
    if message is None:
        raise MessageNotFound
    return message
