"""What can be done to a chat. Names come in clean (ingest.text_rules)."""

from applications.models import ApplicationKey
from chats.errors import ChatNotFound
from chats.models import Chat
from chats.records import CHATS
from chats.selectors import chat_row
from infra.versions import Versions
from ingest.commit import accept
from ingest.idempotency.keys import IdempotentRequest
from ingest.read_your_writes import update
from ingest.records import NumberedRow


def create_chat(
    *, application_token: str, name: str, request: IdempotentRequest | None = None
) -> NumberedRow:
    """A new chat with the application's next number; the same again for a repeat of the request.

    Raises ApplicationNotFound, KeyReused, Unavailable.
    """
    return accept(CHATS.new(ApplicationKey(application_token), name=name), request)


def rename_chat(
    *, application_token: str, chat_number: int, name: str, expected: Versions | None = None
) -> Chat:
    """The chat under its new name. Raises ChatNotFound, Stale, Unavailable."""
    key = (application_token, chat_number)
    chat = update(chat_row(*key), key, expected, name=name)
    if chat is None:
        raise ChatNotFound
    return chat
