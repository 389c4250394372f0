"""What can be done to a chat. Names come in clean (core.text)."""

from chats.accept import NewChat
from chats.models import Chat
from chats.selectors import chat_row
from core.accept.acceptor import accept
from core.accept.reading import edit
from core.accept.submission import Repeatable
from core.errors import ChatNotFound
from core.rows import NumberedRow
from core.versions import Versions


def create_chat(
    *, application_token: str, name: str, request: Repeatable | None = None
) -> NumberedRow:
    """A new chat with the application's next number; the same again for a repeat of the request.

    Raises ApplicationNotFound, KeyReused, Unavailable.
    """
    return accept(NewChat(application_token, name), request)


def rename_chat(
    *, application_token: str, chat_number: int, name: str, expected: Versions | None = None
) -> Chat:
    """The chat under its new name. Raises ChatNotFound, Stale, Unavailable."""
    key = (application_token, chat_number)
    chat = edit(chat_row(*key), key, expected, name=name)
    if chat is None:
        raise ChatNotFound
    return chat
