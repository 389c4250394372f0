"""Searches the messages of one chat: the backends, their order, and the check of the chat.

All backends agree: a message is a hit exactly if its folded body contains the folded query
(search.fold_and_highlight.fold). Hits are numbered items and are paged like any list.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError

from infra.database import database_breaker
from infra.errors import FieldError, Invalid, Unavailable
from ingest.read_your_writes import require_parent
from ingest.records import Key
from listing.pages import Source, Window
from listing.parent_rows import StoredRows
from messages_app.models import Message
from messages_app.records import MESSAGES
from search.errors import IndexUnusable
from search.fold_and_highlight import fold

MAX_QUERY_CHARACTERS = 256

#: Characters that one search may read from the table: 2,000 of the longest bodies.
MAX_SCANNED_CHARACTERS = 32 * 1024 * 1024
#: Characters held in memory at a time, approximately.
STEP_CHARACTERS = 1024 * 1024
#: Messages in the first step of a scan.
FIRST_STEP = 100

Page = TypeVar("Page")


class ChatTooLarge(Unavailable):
    """Only the index could answer this search, and it is unavailable."""

    detail = "The chat is too large to be searched without the search index, which is unavailable."
    retry_after = 5


class SearchUnavailable(Unavailable):
    """Neither the index nor the database is available."""

    detail = "Search is temporarily unavailable."
    retry_after = 2


def clean_query(value: str | None, field: str = "query") -> str:
    """A search query exactly as given, 1 to 256 characters. Raises Invalid."""
    if value is None:
        raise Invalid(FieldError(field, "required", f"{field} is required."))
    if not 1 <= len(value) <= MAX_QUERY_CHARACTERS:
        message = f"{field} must have 1 to {MAX_QUERY_CHARACTERS} characters."
        raise Invalid(FieldError(field, "length", message))
    return value


def search(chat: Key, query: str, read_page: Callable[[Source[Message]], Page]) -> tuple[Page, str]:
    """Apply `read_page` to the messages of this chat that contain the clean query.

    Return the page, and the name of the backend for the Search-Backend header. `read_page` is
    called again with the next backend if the first one fails.

    Raises ChatNotFound, and Unavailable if no backend can answer.
    """
    require_searchable(chat)
    for name, find_hits in backends():
        with suppress(IndexUnusable):
            return read_page(find_hits(chat, query)), name
    raise SearchUnavailable


def backends() -> Iterator[tuple[str, Callable[[Key, str], Source[Message]]]]:
    """The backends in order of preference: on IndexUnusable, try the next one.

    Each one gets a chat and a text, and finds the messages of that chat that contain the text.
    """
    if settings.ENVIRONMENT.elasticsearch_url:
        from search.index.queries import Hits  # noqa: PLC0415 - see search.index

        yield "elasticsearch", Hits
    yield "database", scan


def require_searchable(chat: Key) -> None:
    """Check that the chat exists. Raises ChatNotFound, Unavailable.

    While the database is unavailable, a chat with a message in the index is known to exist.
    """
    database = database_breaker()
    if not database.is_open:
        try:
            require_parent(MESSAGES, chat)
        except (OperationalError, InterfaceError) as error:
            database.open(error)
        else:
            return
    if not _is_indexed(chat):
        raise SearchUnavailable


def _is_indexed(chat: Key) -> bool:
    if not settings.ENVIRONMENT.elasticsearch_url:
        return False
    from search.index.queries import has_messages  # noqa: PLC0415 - see search.index

    try:
        return has_messages(chat)
    except IndexUnusable:
        return False


def scan(chat: Key, query: str) -> "Scan":
    """Scan the chat from the start of the page, and compare each body; stop when the page is full.

    One search reads at most SCANNED_MESSAGES messages, because a longer scan would hold up other
    requests. A chat within that limit is always searched to its end; in a larger one the search
    succeeds if the page is full by then.
    """
    allowance = _Allowance(settings.ENVIRONMENT.scanned_messages, MAX_SCANNED_CHARACTERS)
    return Scan(chat, StoredRows(Message, chat), fold(query), allowance)


@dataclass
class _Allowance:
    """What one search may still read, for its page and the link to the previous page together."""

    messages: int
    characters: int


@dataclass(frozen=True)
class Scan:
    """The hits in the table. Its methods raise ChatTooLarge."""

    chat: Key
    rows: StoredRows[Message]
    folded_query: str
    allowance: _Allowance
    step: ClassVar[int] = 1000

    def items(self, window: Window) -> Sequence[Message]:
        """The hits of the window."""
        found: list[Message] = []
        numbers = self._matching(window)
        # A purge may remove messages after their numbers were read, so read on until it is full.
        while some := list(islice(numbers, window.limit - len(found))):
            found += self._read(some)
        return found

    def numbers(self, window: Window) -> Sequence[int]:
        """The numbers of the hits; fewer, but at least one, where the allowance is used up."""
        found: list[int] = []
        try:
            for number in islice(self._matching(window), window.limit):
                found.append(number)  # noqa: PERF402 - keeps the numbers found before ChatTooLarge
        except ChatTooLarge:
            if not found:
                raise
        return found

    def _matching(self, window: Window) -> Iterator[int]:
        """The numbers of all hits of the window, in its order. Raises ChatTooLarge."""
        rest, step = window, min(FIRST_STEP, self.step)
        while True:
            # Reading one row more than allowed shows whether the window ends here.
            limit = min(step, max(self.allowance.messages, 0) + 1)
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
        self.allowance.messages -= 1
        self.allowance.characters -= characters
        if self.allowance.messages < 0 or self.allowance.characters < 0:
            raise ChatTooLarge

    def _read(self, numbers: Sequence[int]) -> list[Message]:
        rows = MESSAGES.rows(self.chat).filter(message_number__in=numbers)
        by_number = {row.message_number: row for row in rows}
        return [by_number[number] for number in numbers if number in by_number]


def _beyond(number: int, window: Window) -> Window:
    return replace(window, before=number) if window.descending else replace(window, after=number)
