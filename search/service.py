"""Whether there is a chat to search, also while the database cannot say.

One search: of the first backend that can be asked, for whoever shows the hits.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError

from chats.selectors import require_chat
from infra.database import database_breaker
from infra.errors import Unavailable
from listing.pages import Source
from messages_app.models import Message
from search.backends import backends
from search.errors import IndexUnusable


class SearchUnavailable(Unavailable):
    """Neither the index nor the database can be asked now."""

    def __init__(self) -> None:
        super().__init__("Search is away.", retry_after=2)


def require_searchable(*, application_token: str, chat_number: int) -> None:
    """Raises ChatNotFound when the application has no such chat, or Unavailable.

    While the database is away, a chat of which the index has a message is known to be there.
    """
    database = database_breaker()
    if not database.is_open:
        try:
            require_chat(application_token=application_token, chat_number=chat_number)
        except (OperationalError, InterfaceError) as error:
            database.open(error)
        else:
            return
    if not _is_indexed(application_token, chat_number):
        raise SearchUnavailable


def _is_indexed(application_token: str, chat_number: int) -> bool:
    if not settings.ENVIRONMENT.elasticsearch_url:
        return False
    from search.index.querying import has_messages  # noqa: PLC0415 - see search.index

    try:
        return has_messages(application_token=application_token, chat_number=chat_number)
    except IndexUnusable:
        return False


Answer = TypeVar("Answer")


@dataclass(frozen=True)
class SearchResult(Generic[Answer]):
    """What was made of the hits, and the name of who answered."""

    answer: Answer
    backend: str


def search(
    *,
    application_token: str,
    chat_number: int,
    query: str,
    read: Callable[[Source[Message]], Answer],
) -> SearchResult[Answer]:
    """What `read` makes of the messages of this chat that contain the clean query.

    Raises ChatNotFound, and Unavailable where nobody can be asked.
    """
    require_searchable(application_token=application_token, chat_number=chat_number)
    for backend in backends():
        with suppress(IndexUnusable):
            hits = backend.hits(
                application_token=application_token, chat_number=chat_number, query=query
            )
            return SearchResult(read(hits), backend.name)
    raise SearchUnavailable
