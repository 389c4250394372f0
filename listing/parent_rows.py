"""The rows of one parent, read along the index that ends in their number.

With pending rows Redis is read first and the database second, so a row that is stored between the
two reads appears twice and is never missed. The stored row wins, because it may have been edited.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from django.conf import settings

from ingest.read_your_writes import (
    MAX_NUMBER,
    Question,
    Window,
    ask_together,
    highest_number_below,
    lowest_number_above,
    pending_rows,
    stored_numbers,
    stored_rows,
)
from ingest.records import Key, NumberedRow, record_type_of_parent
from ingest.window_statements import Part
from listing.pages import Source, in_window

Read = TypeVar("Read")


def rows_of(parent: Key) -> Source[Any]:
    """The rows of this parent as they are shown, pending ones too where Redis is configured."""
    stored = StoredRows(parent)
    return RowsWithPending(stored) if settings.ENVIRONMENT.redis_url else stored


class StoredRows(Source[Any]):
    """The stored rows of one parent.

    With a cursor, the next `limit` numbers are read first. Numbers are dense, so nearly all rows of
    the page are among them. A range without an upper bound can make MariaDB's optimizer read a chat
    that makes up most of the table from its first row.
    """

    def __init__(self, parent: Key) -> None:
        self.parent = parent
        self.kind = record_type_of_parent(parent)

    def items(self, window: Window) -> Sequence[Any]:
        """The rows of the window, by one statement, or by three where numbers are missing."""
        return self._read(window, partial(stored_rows, self.parent))

    def numbers(self, window: Window) -> Sequence[int]:
        """The numbers of the same rows, read from the index alone."""
        return self._read(window, partial(stored_numbers, self.parent))

    def both(self, window: Window, other: Window) -> tuple[Sequence[Any], Sequence[int]]:
        """The rows of one window and the numbers of the other, mostly by one request."""
        of_rows = self._questions(window, Part.ROWS)
        of_numbers = self._questions(other, Part.NUMBERS)
        answers = ask_together(*of_rows, *of_numbers)
        rows, *beyond_rows = answers[: len(of_rows)]
        numbers, *beyond_numbers = answers[len(of_rows) :]
        # An answer about what is beyond is [None] where nothing is.
        if beyond_rows not in ([], [[None]]):
            rows = self._complete(rows, window, partial(stored_rows, self.parent))
        if beyond_numbers not in ([], [[None]]):
            numbers = self._complete(numbers, other, partial(stored_numbers, self.parent))
        return rows, numbers

    def _questions(self, window: Window, part: Part) -> list[Question]:
        """What is next to the cursor, and the nearest number beyond, needed at an end of a chat."""
        near, rest = _split(window)
        questions = [Question(self.parent, near, part)]
        if rest is not None and rest.descending:
            edge = Window(before=rest.before)
            questions.append(Question(self.parent, edge, Part.HIGHEST))
        elif rest is not None:
            questions.append(Question(self.parent, Window(after=rest.after), Part.LOWEST))
        return questions

    def columns(self, window: Window, *names: str) -> Sequence[tuple[Any, ...]]:
        """These columns of the same rows, as the database has them."""
        rows = self.kind.rows(self.parent)

        def read(part: Window) -> Sequence[tuple[Any, ...]]:
            return list(in_window(rows, self.kind.number_field, part).values_list(*names))

        return self._read(window, read)

    def _read(self, window: Window, read: Callable[[Window], Sequence[Read]]) -> Sequence[Read]:
        return self._complete(read(_split(window)[0]), window, read)

    def _complete(
        self, found: Sequence[Read], window: Window, read: Callable[[Window], Sequence[Read]]
    ) -> Sequence[Read]:
        """Add the rest of the window if too little was found next to the cursor."""
        _, rest = _split(window)
        missing = window.limit - len(found)
        if rest is None or not missing or not self._has_any(rest):
            return found
        return [*found, *read(replace(rest, limit=missing))]

    def _has_any(self, rest: Window) -> bool:
        """Whether the window has a row: at the end of a chat this is cheaper than reading it."""
        if rest.descending:
            neighbour = highest_number_below(self.parent, rest.before or 0)
            return neighbour is not None and neighbour > (rest.after or 0)
        neighbour = lowest_number_above(self.parent, rest.after or 0)
        return neighbour is not None and neighbour < (rest.before or MAX_NUMBER + 1)


class RowsWithPending(Source[Any]):
    """The stored and the pending rows of one parent, as one request sees them."""

    def __init__(self, stored: StoredRows) -> None:
        self._stored = stored
        self._none_pending = False

    def items(self, window: Window) -> Sequence[Any]:
        """One read of Redis and one of the table; both are repeated where a number is missing.

        A row that is accepted between the two reads is missed, while a later row may be seen if it
        was stored that quickly. A client that continues after the later row would never get the
        first. Rows below a seen row were accepted before it, so a second read finds them.
        """
        return self._checked(self._items(window, self._pending(window)), window)

    def both(self, window: Window, other: Window) -> tuple[Sequence[Any], Sequence[int]]:
        """The rows of one window and the numbers of the other."""
        pending = self._pending(window)
        if not self._none_pending:
            return self._checked(self._items(window, pending), window), self.numbers(other)
        rows, numbers = self._stored.both(window, other)
        return self._checked(rows, window), numbers

    def _checked(self, found: Sequence[Any], window: Window) -> Sequence[Any]:
        """These rows; they are read again, up to the highest number, where one is missing."""
        numbers = [row[0] for row in found]
        if _is_dense(numbers, window):
            return found
        again = replace(window, before=max(numbers) + 1)
        return self._items(again, self._pending(again))

    def numbers(self, window: Window) -> Sequence[int]:
        """The numbers of the same rows; Redis is skipped once it has reported nothing pending."""
        pending = [] if self._none_pending else self._pending(window)
        numbers = {*self._stored.numbers(window), *(row.number for row in pending)}
        return sorted(numbers, reverse=window.descending)[: window.limit]

    def _items(self, window: Window, pending: Sequence[NumberedRow]) -> Sequence[Any]:
        stored = self._stored.items(window)
        if not pending:
            return stored
        show = self._stored.kind.show_new
        rows = {row.number: show(row) for row in pending} | {row[0]: row for row in stored}
        return [rows[number] for number in sorted(rows, reverse=window.descending)][: window.limit]

    def _pending(self, window: Window) -> Sequence[NumberedRow]:
        seen = pending_rows(self._stored.parent, window)
        self._none_pending = seen.nothing_pends
        return seen.rows


def _is_dense(numbers: Sequence[int], window: Window) -> bool:
    """Whether no number is missing between those found, nor before the first of the window."""
    if not numbers:
        return True
    lowest = min(numbers)
    if not window.descending or len(numbers) < window.limit:
        lowest = (window.after or 0) + 1
    return max(numbers) - lowest + 1 == len(numbers)


def _split(window: Window) -> tuple[Window, Window | None]:
    """The `limit` numbers next to the cursor, and the rest of the window if there is one."""
    if window.descending and window.before is not None:
        edge = window.before - window.limit
        if edge > (window.after or 0):
            return replace(window, after=edge - 1), replace(window, before=edge)
    elif not window.descending and window.after is not None:
        edge = window.after + window.limit
        if edge < (window.before or MAX_NUMBER):
            return replace(window, before=edge + 1), replace(window, after=edge)
    return window, None


def number_spread(parent: Key) -> int:
    """The count of numbers from the lowest to the highest stored one; 0 without rows.

    A number ceiling may lie far above the last row, and numbers may be skipped below the first, so
    neither is an estimate of the number of rows.
    """
    lowest = lowest_number_above(parent, -1)
    highest = highest_number_below(parent, MAX_NUMBER)
    return 0 if lowest is None or highest is None else highest - lowest + 1


def number_ranges(
    parent: Key, size: int, *, after: int = -1, through: int = MAX_NUMBER
) -> Iterator[range]:
    """Ranges of `size` numbers, ascending, each beginning with a stored number.

    Together they cover all rows above `after` and up to `through`. There are never more ranges than
    rows, however far apart the numbers are. Each range is looked up when the iterator reaches it.
    """
    first = lowest_number_above(parent, after)
    while first is not None and first <= through:
        yield range(first, first + size)
        first = lowest_number_above(parent, first + size - 1)
