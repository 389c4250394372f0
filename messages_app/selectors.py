"""What can be asked about messages."""

from django.db.models import QuerySet

from core.errors import MessageNotFound
from messages_app.models import Message


def message_row(
    application_token: str, chat_number: int, message_number: int
) -> "QuerySet[Message]":
    """The one message of this number, or nothing."""
    return messages_of(application_token=application_token, chat_number=chat_number).filter(
        message_number=message_number
    )


def get_message(*, application_token: str, chat_number: int, message_number: int) -> Message:
    """The message of this number. Raises MessageNotFound."""
    try:
        return message_row(application_token, chat_number, message_number).get()
    except Message.DoesNotExist:
        raise MessageNotFound from None


def messages_of(*, application_token: str, chat_number: int) -> "QuerySet[Message]":
    """The messages of one chat; none when there is no such chat."""
    return Message.objects.filter(application_token=application_token, chat_number=chat_number)
