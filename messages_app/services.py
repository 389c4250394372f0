"""What can be done to a message. Bodies come in clean (core.text)."""

from collections.abc import Sequence

from django.utils import timezone

from core.accept.acceptor import accept, accept_all
from core.accept.reading import edit
from core.accept.submission import Repeatable
from core.errors import MessageNotFound
from core.rows import NumberedRow
from core.versions import Versions
from messages_app.accept import NewMessage
from messages_app.models import Message
from messages_app.selectors import message_row


def create_message(
    *, application_token: str, chat_number: int, body: str, request: Repeatable | None = None
) -> NumberedRow:
    """A new message with the chat's next number; the same again for a repeat of the request.

    Raises ChatNotFound, KeyReused, Unavailable.
    """
    return accept(NewMessage(application_token, chat_number, body), request)


def create_messages(
    *,
    application_token: str,
    chat_number: int,
    bodies: Sequence[str],
    request: Repeatable | None = None,
) -> Sequence[NumberedRow]:
    """New messages with the chat's next numbers, all of them or none. Raises as above."""
    now = timezone.now()
    rows = [NewMessage(application_token, chat_number, body, accepted_at=now) for body in bodies]
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
    message = edit(message_row(*key), key, expected, body=body)
    if message is None:
        raise MessageNotFound
    return message
