"""What can be done to a message. Bodies come in clean (core.text)."""

from collections.abc import Sequence

from django.db.models import F
from django.utils import timezone

from chats.models import Chat
from core.accept.acceptor import accept
from core.errors import ChatNotFound, MessageNotFound
from core.numbering import take_numbers
from core.transactions import in_transaction
from messages_app.accept import NewMessage
from messages_app.models import Message
from messages_app.selectors import message_row


def create_message(*, application_token: str, chat_number: int, body: str) -> Message:
    """A new message with the chat's next number. Raises ChatNotFound, Unavailable."""
    return accept(NewMessage(application_token, chat_number, body), Message)


def number_messages(
    application_token: str, chat_number: int, bodies: Sequence[str]
) -> list[Message]:
    """Messages with the chat's next numbers, to be stored in the transaction this is called in.

    Whoever numbers messages of several chats in one transaction does so in the order of their keys,
    so that rivals wait for each other and never in a circle. Raises ChatNotFound.
    """
    chat = Chat.objects.filter(application_token=application_token, chat_number=chat_number)
    numbers = take_numbers(chat, len(bodies))
    if numbers is None:
        raise ChatNotFound
    now = timezone.now()
    return [
        Message(
            application_token=application_token,
            chat_number=chat_number,
            message_number=number,
            body=body,
            created_at=now,
            updated_at=now,
        )
        for number, body in zip(numbers, bodies, strict=True)
    ]


def edit_message(
    *, application_token: str, chat_number: int, message_number: int, body: str
) -> Message:
    """The message with its new body. Raises MessageNotFound."""
    message = message_row(application_token, chat_number, message_number)

    def edit() -> Message:
        if not message.update(body=body, updated_at=timezone.now(), version=F("version") + 1):
            raise MessageNotFound
        return message.get()

    return in_transaction(edit)
