"""The stored rows of one parent, in pages."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet

from core import stored_numbers
from core.http.paging import MAX_NUMBER, Window, in_window
from core.rows import Key, kind_of

Row = TypeVar("Row", bound=Model)
Read = TypeVar("Read")


class StoredRows(Generic[Row]):
    """Rows of one parent, read along the index that ends in their number.

    Behind a cursor they are first looked for among the next `limit` numbers, where nearly all of
    them are, since numbers are dense. Asked for "above n" without an end, MariaDB's optimizer may
    read a chat that makes up most of the table from its first row.
    """

    def __init__(self, model: type[Row], parent: Key) -> None:
        *shared, self.number = kind_of(parent).key_fields
        self.parent = parent
        self._rows = model._default_manager.filter(**dict(zip(shared, parent, strict=True)))

    def items(self, window: Window) -> Sequence[Row]:
        """One range of the index, or two where numbers are missing."""
        near, rest = _split(window)
        found = list(self._rows_in(near))
        return found + self._behind(rest, window.limit - len(found), list)

    def columns(self, window: Window, *names: str) -> Sequence[tuple[Any, ...]]:
        """These columns of the same rows, for a tenth of the time that it takes to make models."""
        near, rest = _split(window)

        def read(rows: "QuerySet[Row]") -> list[tuple[Any, ...]]:
            return list(rows.values_list(*names))

        found = read(self._rows_in(near))
        return found + self._behind(rest, window.limit - len(found), read)

    def numbers(self, window: Window) -> Sequence[int]:
        """The same, without the rows behind the index."""
        near, rest = _split(window)
        found = self._numbers_near(near)
        return found + self._behind(rest, window.limit - len(found), self._numbers_of)

    def _numbers_near(self, near: Window) -> list[int]:
        dense = range((near.after or 0) + 1, near.before or 0)
        if 0 < len(dense) <= near.limit:
            found = stored_numbers.between(self.parent, dense[0], dense[-1])
            return found[::-1] if near.descending else found
        return self._numbers_of(self._rows_in(near))

    def _numbers_of(self, rows: "QuerySet[Row]") -> list[int]:
        return list(rows.values_list(self.number, flat=True))

    def _rows_in(self, window: Window) -> "QuerySet[Row]":
        return in_window(self._rows, self.number, window)

    def _behind(
        self, rest: Window | None, missing: int, read: "Callable[[QuerySet[Row]], list[Read]]"
    ) -> list[Read]:
        if rest is None or not missing or not self._has_any(rest):
            return []
        return read(self._rows_in(replace(rest, limit=missing)))

    def _has_any(self, rest: Window) -> bool:
        """At the end of a chat there is nothing, and to find that out costs less than to ask."""
        if rest.descending:
            next_one = stored_numbers.highest_below(self.parent, rest.before or 0)
            return next_one is not None and next_one > (rest.after or 0)
        next_one = stored_numbers.lowest_above(self.parent, rest.after or 0)
        return next_one is not None and next_one < (rest.before or MAX_NUMBER + 1)


def _split(window: Window) -> tuple[Window, Window | None]:
    """The `limit` numbers next to the cursor, and what of the window lies behind them."""
    if window.descending and window.before is not None:
        edge = window.before - window.limit
        if edge > (window.after or 0):
            return replace(window, after=edge - 1), replace(window, before=edge)
    elif not window.descending and window.after is not None:
        edge = window.after + window.limit
        if edge < (window.before or MAX_NUMBER):
            return replace(window, before=edge + 1), replace(window, after=edge)
    return window, None
