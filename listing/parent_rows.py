"""The rows of one parent, read along the index that ends in their number.

With pending rows Redis is read first and the database second, so a row that is stored between the
two reads appears twice and is never missed. The stored row wins, because it may have been edited.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Generic, TypeVar, cast

from django.conf import settings
from django.db import connection
from django.db.models import Model, QuerySet

from ingest.read_your_writes import pending_in_range
from ingest.records import Key, NumberedRow, RecordType, record_type_of_parent
from listing.pages import MAX_NUMBER, Source, Window, in_window

Row = TypeVar("Row", bound=Model)
Read = TypeVar("Read")


def rows_of(model: type[Row], parent: Key) -> Source[Row]:
    """The rows of this parent, pending ones included where Redis is configured."""
    stored = StoredRows(model, parent)
    return RowsWithPending(stored) if settings.ENVIRONMENT.redis_url else stored


class StoredRows(Generic[Row]):
    """The stored rows of one parent.

    With a cursor, the next `limit` numbers are read first. Numbers are dense, so nearly all rows of
    the page are among them. A range without an upper bound can make MariaDB's optimizer read a chat
    that makes up most of the table from its first row.
    """

    def __init__(self, model: type[Row], parent: Key) -> None:
        *shared, self.number = record_type_of_parent(parent).key_fields
        self.parent = parent
        self._rows = model._default_manager.filter(**dict(zip(shared, parent, strict=True)))

    def items(self, window: Window) -> Sequence[Row]:
        """The rows of the window, by one statement, or by three where numbers are missing."""
        return self._read(window, list)

    def columns(self, window: Window, *names: str) -> Sequence[tuple[Any, ...]]:
        """These columns of the same rows: ten times as fast as building model instances."""
        return self._read(window, lambda rows: list(rows.values_list(*names)))

    def numbers(self, window: Window) -> Sequence[int]:
        """The numbers of the same rows, read from the index alone."""
        near, rest = _split(window)
        found = self._numbers_near(near)
        return found + self._read_rest(rest, window.limit - len(found), self._numbers_of)

    def _read(self, window: Window, read: "Callable[[QuerySet[Row]], list[Read]]") -> list[Read]:
        near, rest = _split(window)
        found = read(self._rows_in(near))
        return found + self._read_rest(rest, window.limit - len(found), read)

    def _numbers_near(self, near: Window) -> list[int]:
        dense = range((near.after or 0) + 1, near.before or 0)
        if 0 < len(dense) <= near.limit:
            found = numbers_between(self.parent, dense[0], dense[-1])
            return found[::-1] if near.descending else found
        return self._numbers_of(self._rows_in(near))

    def _numbers_of(self, rows: "QuerySet[Row]") -> list[int]:
        return list(rows.values_list(self.number, flat=True))

    def _rows_in(self, window: Window) -> "QuerySet[Row]":
        return in_window(self._rows, self.number, window)

    def _read_rest(
        self, rest: Window | None, missing: int, read: "Callable[[QuerySet[Row]], list[Read]]"
    ) -> list[Read]:
        if rest is None or not missing or not self._has_any(rest):
            return []
        return read(self._rows_in(replace(rest, limit=missing)))

    def _has_any(self, rest: Window) -> bool:
        """Whether the window has a row: at the end of a chat this is cheaper than reading it."""
        if rest.descending:
            neighbour = highest_number_below(self.parent, rest.before or 0)
            return neighbour is not None and neighbour > (rest.after or 0)
        neighbour = lowest_number_above(self.parent, rest.after or 0)
        return neighbour is not None and neighbour < (rest.before or MAX_NUMBER + 1)


class RowsWithPending(Generic[Row]):
    """The stored and the pending rows of one parent, as one request sees them."""

    def __init__(self, stored: StoredRows[Row]) -> None:
        self._stored = stored
        self._none_pending = False

    def items(self, window: Window) -> Sequence[Row]:
        """One read of Redis and one of the table; both are repeated where a number is missing.

        A row that is accepted between the two reads is missed, while a later row may be seen if it
        was stored that quickly. A client that continues after the later row would never get the
        first. Rows below a seen row were accepted before it, so a second read finds them.
        """
        found = self._items(window)
        numbers = [self._number(row) for row in found]
        if _is_dense(numbers, window):
            return found
        return self._items(replace(window, before=max(numbers) + 1))

    def numbers(self, window: Window) -> Sequence[int]:
        """The numbers of the same rows; Redis is skipped once it has reported nothing pending."""
        pending = [] if self._none_pending else self._pending(window)
        numbers = {*self._stored.numbers(window), *(row.number for row in pending)}
        return sorted(numbers, reverse=window.descending)[: window.limit]

    def _items(self, window: Window) -> Sequence[Row]:
        pending = {row.number: cast("Row", row.instance()) for row in self._pending(window)}
        stored = self._stored.items(window)
        if not pending:
            return stored
        rows = pending | {self._number(row): row for row in stored}
        return [rows[number] for number in sorted(rows, reverse=window.descending)][: window.limit]

    def _pending(self, window: Window) -> Sequence[NumberedRow]:
        seen = pending_in_range(
            self._stored.parent,
            after=window.after,
            before=window.before,
            limit=window.limit,
            descending=window.descending,
        )
        self._none_pending = seen.nothing_pends
        return seen.rows

    def _number(self, row: Row) -> int:
        return int(getattr(row, self._stored.number))


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


def numbers_between(parent: Key, first: int, last: int) -> list[int]:
    """The stored numbers from first to last, ascending."""
    return _query_index("{number}", "BETWEEN %s AND %s ORDER BY {number}", parent, first, last)


def lowest_number_above(parent: Key, number: int) -> int | None:
    """The lowest stored number above this one; None if there is none."""
    found: int | None = _query_index("MIN({number})", "> %s", parent, number)[0]
    return found


def highest_number_below(parent: Key, number: int) -> int | None:
    """The highest stored number below this one; None if there is none."""
    found: int | None = _query_index("MAX({number})", "< %s", parent, number)[0]
    return found


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


def _query_index(columns: str, condition: str, parent: Key, *bounds: int) -> list[Any]:
    """Raw SQL: Django takes longer to build such a statement than a database to answer it."""
    with connection.cursor() as cursor:
        statement = _statement(record_type_of_parent(parent), columns, condition)
        cursor.execute(statement, [*parent, *bounds])
        return [found for (found,) in cursor.fetchall()]


@cache
def _statement(kind: RecordType, columns: str, condition: str) -> str:
    quote = connection.ops.quote_name
    *shared, number = map(quote, kind.key_fields)
    columns, condition = (part.format(number=number) for part in (columns, condition))
    table = quote(kind.model._meta.db_table)
    of_parent = " AND ".join(f"{column} = %s" for column in shared)
    # All names are our own, so nothing can be injected.
    return f"SELECT {columns} FROM {table} WHERE {of_parent} AND {number} {condition}"  # noqa: S608
