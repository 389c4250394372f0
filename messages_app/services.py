"""What can be done to a message. Bodies come in clean (core.text)."""

from django.db.models import F
from django.utils import timezone

from core.accept.acceptor import accept
from core.errors import MessageNotFound
from core.transactions import in_transaction
from messages_app.accept import NewMessage
from messages_app.models import Message
from messages_app.selectors import message_row


def create_message(*, application_token: str, chat_number: int, body: str) -> Message:
    """A new message with the chat's next number. Raises ChatNotFound, Unavailable."""
    return accept(NewMessage(application_token, chat_number, body), Message)


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
