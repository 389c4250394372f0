"""Writes of chats. `values` are clean values of the fields of CHATS."""

from applications.models import ApplicationKey
from chats.errors import ChatNotFound
from chats.models import Chat
from chats.records import CHATS
from chats.selectors import chat_row
from infra.versions import Versions
from ingest.commit import accept
from ingest.idempotency import IdempotentRequest
from ingest.read_your_writes import update
from ingest.records import NumberedRow


def create_chat(
    *, application_token: str, request: IdempotentRequest | None = None, **values: str
) -> NumberedRow:
    """A new chat with the application's next number; a repeated request gets the first one.

    Raises ApplicationNotFound, KeyReused, Unavailable.
    """
    return accept(CHATS.new(ApplicationKey(application_token), accepted_at=None, **values), request)


def rename_chat(
    *, application_token: str, chat_number: int, expected: Versions | None = None, **values: str
) -> Chat:
    """The chat with these new values. Raises ChatNotFound, Stale, Unavailable."""
    key = (application_token, chat_number)
    chat = update(chat_row(*key), key, expected, **values)
    if chat is None:
        raise ChatNotFound
    return chat
