"""The interface of search, the backend that needs nothing but the database, and which to ask.

Whatever the backend, a message is a hit exactly when its folded body contains the folded query
(core.text.fold), and hits are numbered items that are paged like any list.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from django.conf import settings

from core.errors import Unavailable
from core.http.paging import Source, Window
from core.http.stored import StoredRows
from core.text import fold
from messages_app.models import Message


class SearchBackend(Protocol):
    """Something that finds the messages of a chat that contain a text."""

    @property
    def name(self) -> str:
        """What clients are told who answered."""

    def hits(self, *, application_token: str, chat_number: int, query: str) -> Source[Message]:
        """The messages of this chat, and of no other, that contain the query."""


class ChatTooLarge(Unavailable):
    """Only the index could search this chat, and it cannot be asked now."""

    def __init__(self) -> None:
        super().__init__("Search is away, and the chat is too large to do without.", retry_after=5)


@dataclass(frozen=True)
class DatabaseSearch:
    """Reads the chat from the page's end on and compares.

    `most`: a chat with more messages is not searched, since its scan would hold up the others.
    """

    most: int | None = None
    name: str = "database"

    def hits(self, *, application_token: str, chat_number: int, query: str) -> Source[Message]:
        """A scan of the table that stops when the page is full. Raises ChatTooLarge."""
        rows = StoredRows(Message, (application_token, chat_number))
        if self.most is not None:
            # The highest number first: messages can be fewer, where numbers were skipped or purged.
            highest = rows.numbers(Window(limit=1, descending=True))
            if highest and highest[0] > self.most and rows.has_more_than(self.most):
                raise ChatTooLarge
        return _Scan(rows, fold(query))


@dataclass(frozen=True)
class _Scan:
    rows: StoredRows[Message]
    folded_query: str
    step: int = 1000

    def items(self, window: Window) -> Sequence[Message]:
        found: list[Message] = []
        for message in self._read(window):
            if self.folded_query in fold(message.body):
                found.append(message)
                if len(found) == window.limit:
                    break
        return found

    def numbers(self, window: Window) -> Sequence[int]:
        return [message.message_number for message in self.items(window)]

    def _read(self, window: Window) -> Iterator[Message]:
        """The whole window, in steps along the index."""
        rest: Window | None = replace(window, limit=self.step)
        while rest:
            rows = self.rows.items(rest)
            yield from rows
            rest = _beyond(rows[-1].message_number, rest) if len(rows) == self.step else None


def _beyond(number: int, window: Window) -> Window:
    return replace(window, before=number) if window.descending else replace(window, after=number)


def backends() -> Iterator[SearchBackend]:
    """Those to ask, the next one where the one before raises IndexUnusable."""
    environment = settings.ENVIRONMENT
    if not environment.elasticsearch_url:
        yield DatabaseSearch()
        return
    from search.index.querying import ElasticsearchSearch  # noqa: PLC0415 - see search.index

    yield ElasticsearchSearch()
    yield DatabaseSearch(most=environment.search_scan_messages)
