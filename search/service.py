"""Searches the messages of a chat: the criteria, the backends in their order, the database's scan.

All backends agree: a message is a hit exactly if it is not erased, passes the filters, and its
folded body contains the folded query (search.fold_and_highlight.fold). The hits of a chat are
numbered items and are paged like any list. search.by_time searches applications.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, ClassVar, NamedTuple, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError

from infra.database import database_breaker, note_outage, wait_in_thread
from infra.errors import FieldError, Invalid, Unavailable
from infra.event_loop import is_in_greenlet
from ingest.read_your_writes import Window, require_parent
from ingest.records import Key, record_type_of_parent
from listing.pages import Source
from listing.parent_rows import StoredRows
from messages_app.filters import Filters
from messages_app.records import MESSAGES
from search.errors import IndexUnusable
from search.fold_and_highlight import FoldedQuery

MAX_QUERY_CHARACTERS = 256

#: Characters that one search may read from the table: 2,000 of the longest bodies.
MAX_SCANNED_CHARACTERS = 32 * 1024 * 1024
#: Characters held in memory at a time, approximately.
STEP_CHARACTERS = 1024 * 1024
#: Messages in the first step of a scan.
FIRST_STEP = 100

#: The backend that reads the table.
_DATABASE = "database"

Page = TypeVar("Page")
Hits = TypeVar("Hits")


class TooMuchToScan(Unavailable):
    """Only the index could answer this search, and it is unavailable."""

    detail = (
        "The chat or application is too large to be searched without the search index, which is "
        "unavailable."
    )
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


@dataclass(frozen=True)
class Criteria:
    """What a search looks for: a clean query within a scope, and filters if any are given.

    `scope` is the key of a chat or of an application.
    """

    scope: Key
    query: str
    filters: Filters | None = None


def search_chat(criteria: Criteria, read_page: Callable[[Source[Any]], Page]) -> tuple[Page, str]:
    """Apply `read_page` to the hits in this chat.

    Return the page, and the name of the backend for the Search-Backend header. `read_page` is
    called again with the next backend if the first one fails.

    Raises ChatNotFound, and Unavailable if no backend can answer.
    """
    finders: dict[str, Callable[[Criteria], Source[Any]]] = {_DATABASE: Scan}
    if settings.ENVIRONMENT.elasticsearch_url:
        from search.index.queries import ChatHits  # noqa: PLC0415 - see search.index

        finders = {"elasticsearch": ChatHits, **finders}
    return first_answer(criteria, finders, read_page)


def first_answer(
    criteria: Criteria,
    finders: dict[str, Callable[[Criteria], Hits]],
    read_page: Callable[[Hits], Page],
) -> tuple[Page, str]:
    """The page of the first backend that can answer, and its name. Raises as `search_chat` does."""
    require_searchable(criteria.scope)
    for name, find_hits in finders.items():
        with suppress(IndexUnusable):
            read = partial(read_page, find_hits(criteria))
            # The table is read in a thread; the index lets the event loop wait.
            is_scan = name == _DATABASE and is_in_greenlet()
            return (wait_in_thread(read) if is_scan else read()), name
    raise SearchUnavailable


def index_answers() -> bool:
    """Whether searches are likely to be answered by the index, which takes no thread."""
    if not settings.ENVIRONMENT.elasticsearch_url:
        return False
    from search.index.queries import breaker  # noqa: PLC0415 - see search.index

    return not breaker().is_open


def require_searchable(scope: Key) -> None:
    """Check that the chat or application exists. Raises its NotFound, Unavailable.

    While the database is unavailable, one with a message in the index is known to exist.
    """
    database = database_breaker()
    if not database.is_open:
        try:
            require_parent(record_type_of_parent(scope), scope)
        except (OperationalError, InterfaceError) as error:
            note_outage(error)
        else:
            return
    if not _is_indexed(scope):
        raise SearchUnavailable


def _is_indexed(scope: Key) -> bool:
    if not settings.ENVIRONMENT.elasticsearch_url:
        return False
    from search.index.queries import has_messages  # noqa: PLC0415 - see search.index

    try:
        return has_messages(scope)
    except IndexUnusable:
        return False


class Row(NamedTuple):
    """The columns that decide whether a message is a hit."""

    chat_number: int
    message_number: int
    created_at: datetime
    sender: str | None
    erased_at: datetime | None
    body: str


#: Reads rows after this one, or from the start; at most this number of them.
ReadRows = Callable[[Row | None, int], Sequence[Row]]


class Matcher:
    """Finds the hits among rows that are read in steps, within what one search may read.

    One search reads at most SEARCH_SCAN_MESSAGES messages and MAX_SCANNED_CHARACTERS, for its page
    and the link to the previous page together, because more would hold up other requests. Filters
    are applied here and not by the database, so that rows without hits count too.
    """

    step: ClassVar[int] = 1000

    def __init__(self, criteria: Criteria) -> None:
        self._query = FoldedQuery(criteria.query)
        self._filters = criteria.filters
        self._messages = settings.ENVIRONMENT.scanned_messages
        self._characters = MAX_SCANNED_CHARACTERS

    def hits(self, read: ReadRows) -> Iterator[Row]:
        """The hits, in the order of the rows. Raises TooMuchToScan."""
        last, step = None, min(FIRST_STEP, self.step)
        while True:
            # Reading one row more than allowed shows whether the rows end here.
            limit = min(step, max(self._messages, 0) + 1)
            rows = read(last, limit)
            for row in rows:
                self._spend(len(row.body))
                if self._is_hit(row):
                    yield row
            if len(rows) < limit:
                return
            last = rows[-1]
            size = sum(len(row.body) for row in rows)
            step = max(1, min(self.step, STEP_CHARACTERS * len(rows) // max(size, 1)))

    def _is_hit(self, row: Row) -> bool:
        return (
            row.erased_at is None
            and (self._filters is None or self._filters.match(row.created_at, row.sender))
            and self._query.is_in(row.body)
        )

    def _spend(self, characters: int) -> None:
        self._messages -= 1
        self._characters -= characters
        if self._messages < 0 or self._characters < 0:
            raise TooMuchToScan


def found_by_then(hits: Iterator[Row]) -> list[Row]:
    """These hits; fewer, but at least one, where too much must be read. Raises TooMuchToScan."""
    found: list[Row] = []
    try:
        for hit in hits:
            found.append(hit)  # noqa: PERF402 - keeps the hits found before TooMuchToScan
    except TooMuchToScan:
        if not found:
            raise
    return found


class Scan(Source[Any]):
    """The hits of a chat in the table, read from the start of the page until it is full.

    A chat within the bound is always searched to its end; in a larger one the search succeeds if
    the page is full by then. The methods raise TooMuchToScan.
    """

    def __init__(self, criteria: Criteria) -> None:
        self._chat = criteria.scope
        self._matcher = Matcher(criteria)
        self._rows = StoredRows(criteria.scope)

    def items(self, window: Window) -> Sequence[Any]:
        """The hits of the window as they are shown."""
        found: list[Any] = []
        hits = self._hits(window)
        # A purge may remove messages after they were matched, so read on until it is full.
        while some := list(islice(hits, window.limit - len(found))):
            numbers = [hit.message_number for hit in some]
            rows = MESSAGES.rows(self._chat).filter(message_number__in=numbers, erased_at=None)
            by_number = {row.message_number: MESSAGES.show(row) for row in rows}
            found += [by_number[number] for number in numbers if number in by_number]
        return found

    def numbers(self, window: Window) -> Sequence[int]:
        """The numbers of the hits; fewer, but at least one, where the allowance is used up."""
        hits = found_by_then(islice(self._hits(window), window.limit))
        return [hit.message_number for hit in hits]

    def _hits(self, window: Window) -> Iterator[Row]:
        def read(last: Row | None, limit: int) -> Sequence[Row]:
            rest = window.beyond(last.message_number) if last else window
            rows = self._rows.columns(replace(rest, limit=limit), *Row._fields)
            return list(map(Row._make, rows))

        return self._matcher.hits(read)
