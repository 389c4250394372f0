"""One search: of the first backend that can be asked, for whoever shows the hits."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from core.http.paging import Source
from messages_app.models import Message
from search.backends import backends
from search.errors import IndexUnusable
from search.scope import SearchAway, require_searchable

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Found(Generic[Answer]):
    """What was made of the hits, and the name of who answered."""

    answer: Answer
    backend: str


def search(
    *,
    application_token: str,
    chat_number: int,
    query: str,
    read: Callable[[Source[Message]], Answer],
) -> Found[Answer]:
    """What `read` makes of the messages of this chat that contain the clean query.

    Raises ChatNotFound, and Unavailable where nobody can be asked.
    """
    require_searchable(application_token=application_token, chat_number=chat_number)
    for backend in backends():
        with suppress(IndexUnusable):
            hits = backend.hits(
                application_token=application_token, chat_number=chat_number, query=query
            )
            return Found(read(hits), backend.name)
    raise SearchAway
