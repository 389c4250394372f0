"""What can be done to a chat. Names come in clean (core.text)."""

from chats.accept import NewChat
from chats.models import Chat
from chats.selectors import chat_row
from core.accept.acceptor import accept
from core.accept.reading import edit
from core.errors import ChatNotFound


def create_chat(*, application_token: str, name: str) -> Chat:
    """A new chat with the application's next number. Raises ApplicationNotFound, Unavailable."""
    return accept(NewChat(application_token, name), Chat)


def rename_chat(*, application_token: str, chat_number: int, name: str) -> Chat:
    """The chat under its new name. Raises ChatNotFound, Unavailable."""
    key = (application_token, chat_number)
    chat = edit(chat_row(*key), key, name=name)
    if chat is None:
        raise ChatNotFound
    return chat
