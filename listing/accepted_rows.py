"""Lists of which some rows are accepted and not stored yet.

Redis is read first and the database second, so a row that moves between the two reads is seen
twice and not missed; the stored row wins, since it may have been edited.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Generic, TypeVar, cast

from django.db.models import Model

from infra.redis_client import redis_is_configured
from ingest.pending import pending_in_range
from ingest.records import Key, NumberedRow
from listing.pages import Source, Window
from listing.stored_rows import StoredRows

Row = TypeVar("Row", bound=Model)


def accepted_rows(model: type[Row], parent: Key) -> Source[Row]:
    """The stored rows of this parent, and its pending ones."""
    stored = StoredRows(model, parent)
    return AcceptedRows(stored) if redis_is_configured() else stored


class AcceptedRows(Generic[Row]):
    """The rows of one parent as one request sees them."""

    def __init__(self, stored: StoredRows[Row]) -> None:
        self._stored = stored
        self._nothing_pends = False

    def items(self, window: Window) -> Sequence[Row]:
        """One round trip to Redis, one reading of the table; both again where a number is missing.

        A row that was accepted between the two reads is not seen, but a later one may be, if it
        was stored that quickly. Who goes on behind that one would never see the first. What lies
        below a row that has been seen was accepted before it, so it is there now.
        """
        found = self._items(window)
        numbers = [self._number(row) for row in found]
        if _is_dense(numbers, window):
            return found
        return self._items(replace(window, before=max(numbers) + 1))

    def numbers(self, window: Window) -> Sequence[int]:
        """The same without the stored rows; without Redis where it is known to have nothing."""
        pending = [] if self._nothing_pends else self._pending(window)
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
        self._nothing_pends = seen.nothing_pends
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
