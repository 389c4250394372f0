"""What can be asked about chats."""

from django.db.models import QuerySet

from chats.models import Chat
from core.errors import ChatNotFound


def get_chat(*, application_token: str, chat_number: int) -> Chat:
    """The chat of this number. Raises ChatNotFound."""
    try:
        return Chat.objects.get(application_token=application_token, chat_number=chat_number)
    except Chat.DoesNotExist:
        raise ChatNotFound from None


def require_chat(*, application_token: str, chat_number: int) -> None:
    """Raises ChatNotFound when the application has none of this number."""
    chat = Chat.objects.filter(application_token=application_token, chat_number=chat_number)
    if not chat.exists():
        raise ChatNotFound


def chats_of(*, application_token: str) -> "QuerySet[Chat]":
    """The chats of one application; none when there is no such application."""
    return Chat.objects.filter(application_token=application_token)
