"""What can be done to a chat. Names come in clean (core.text)."""

from django.db.models import F
from django.utils import timezone

from chats.accept import NewChat
from chats.models import Chat
from core.accept.acceptor import accept
from core.errors import ChatNotFound
from core.transactions import in_transaction


def create_chat(*, application_token: str, name: str) -> Chat:
    """A new chat with the application's next number. Raises ApplicationNotFound, Unavailable."""
    return accept(NewChat(application_token, name), Chat)


def rename_chat(*, application_token: str, chat_number: int, name: str) -> Chat:
    """The chat under its new name. Raises ChatNotFound."""
    chat = Chat.objects.filter(application_token=application_token, chat_number=chat_number)

    def rename() -> Chat:
        if not chat.update(name=name, updated_at=timezone.now(), version=F("version") + 1):
            raise ChatNotFound
        return chat.get()

    return in_transaction(rename)
