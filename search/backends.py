"""The interface of search, the backend that needs nothing but the database, and which to ask.

Whatever the backend, a message is a hit exactly when its folded body contains the folded query
(ingest.text_rules.fold), and hits are numbered items that are paged like any list.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar, Protocol

from django.conf import settings

from infra.errors import Unavailable
from ingest.records import Key
from ingest.text_rules import fold
from listing.pages import Source, Window
from listing.stored_rows import StoredRows
from messages_app.models import Message

#: Characters that one search may read of the table: 2,000 of the longest bodies.
SCANNED_CHARACTERS = 32 * 1024 * 1024
#: About so many of them are held in memory at a time.
STEP_CHARACTERS = 1024 * 1024
FIRST_STEP = 100


class SearchBackend(Protocol):
    """Something that finds the messages of a chat that contain a text."""

    @property
    def name(self) -> str:
        """What clients are told who answered."""

    def hits(self, *, application_token: str, chat_number: int, query: str) -> Source[Message]:
        """The messages of this chat, and of no other, that contain the query."""


class ChatTooLarge(Unavailable):
    """Only the index could do this search, and it cannot be asked."""

    def __init__(self) -> None:
        super().__init__(
            "The chat is too large for this search without the index: too much would have to be "
            "read.",
            retry_after=5,
        )


@dataclass(frozen=True)
class DatabaseSearch:
    """Reads the chat from the page's end on and compares.

    `most` is how many messages one search may read: more would hold up the others. So a chat that
    has no more is always answered, and a larger one where the page is full by then.
    """

    most: int = 20_000
    name: str = "database"

    def hits(self, *, application_token: str, chat_number: int, query: str) -> Source[Message]:
        """A scan of the table that stops when the page is full. Its methods raise ChatTooLarge."""
        chat = (application_token, chat_number)
        return _Scan(
            chat, StoredRows(Message, chat), fold(query), _Allowance(self.most, SCANNED_CHARACTERS)
        )


@dataclass
class _Allowance:
    """What is left to read for all pages of one search: a page, and the one before it."""

    messages: int
    characters: int


@dataclass(frozen=True)
class _Scan:
    chat: Key
    rows: StoredRows[Message]
    folded_query: str
    left: _Allowance
    step: ClassVar[int] = 1000

    def items(self, window: Window) -> Sequence[Message]:
        found: list[Message] = []
        numbers = self._matching(window)
        # Some may have been purged since their numbers were read.
        while some := list(islice(numbers, window.limit - len(found))):
            found += self._read(some)
        return found

    def numbers(self, window: Window) -> Sequence[int]:
        """Fewer than there are, but not none, where no more may be read: then the page is short."""
        found: list[int] = []
        try:
            for number in islice(self._matching(window), window.limit):
                found.append(number)  # noqa: PERF402 - those before the end of the room count
        except ChatTooLarge:
            if not found:
                raise
        return found

    def _matching(self, window: Window) -> Iterator[int]:
        """The numbers of all hits of the window, in its order. Raises ChatTooLarge."""
        rest, step = window, min(FIRST_STEP, self.step)
        while True:
            # One more than is left tells whether that is the end.
            limit = min(step, max(self.left.messages, 0) + 1)
            rows = self.rows.columns(replace(rest, limit=limit), "message_number", "body")
            for number, body in rows:
                self._spend(len(body))
                if self.folded_query in fold(body):
                    yield number
            if len(rows) < limit:
                return
            rest = _beyond(rows[-1][0], rest)
            size = sum(len(body) for _, body in rows)
            step = max(1, min(self.step, STEP_CHARACTERS * len(rows) // max(size, 1)))

    def _spend(self, characters: int) -> None:
        self.left.messages -= 1
        self.left.characters -= characters
        if self.left.messages < 0 or self.left.characters < 0:
            raise ChatTooLarge

    def _read(self, numbers: Sequence[int]) -> list[Message]:
        token, chat_number = self.chat
        rows = Message.objects.filter(
            application_token=token, chat_number=chat_number, message_number__in=numbers
        )
        by_number = {row.message_number: row for row in rows}
        return [by_number[number] for number in numbers if number in by_number]


def _beyond(number: int, window: Window) -> Window:
    return replace(window, before=number) if window.descending else replace(window, after=number)


def backends() -> Iterator[SearchBackend]:
    """Those to ask, the next one where the one before raises IndexUnusable."""
    environment = settings.ENVIRONMENT
    if environment.elasticsearch_url:
        from search.index.querying import ElasticsearchSearch  # noqa: PLC0415 - see search.index

        yield ElasticsearchSearch()
    yield DatabaseSearch(most=environment.scanned_messages)
