"""Pages of a list that begin at a row, never at how many rows came before it.

The list is a queryset in descending order of columns that an index holds together and that no two
rows share; nulls come last, as MariaDB and SQLite have it. The page at the end of ten million rows
costs what the first one does, and nothing is counted: one row more than fits tells whether another
page follows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Place:
    """Where a page lies: right after the row of this primary key, or right before it."""

    pk: int
    backwards: bool


@dataclass(frozen=True)
class Page(Generic[Row]):
    """The rows of one page, and whether there are pages on either side."""

    rows: Sequence[Row]
    has_previous: bool
    has_next: bool


def read_page(rows: "QuerySet[Row]", place: Place | None, size: int) -> Page[Row]:
    """The page at this place; the first one when the place is not in the list."""
    found = _rows_beyond(rows, place, size + 1) if place else []
    more = len(found) > size
    # Walking back, a page that is not full is the first one, shown from the list's beginning.
    if not place or not found or (place.backwards and not more):
        found = list(rows[: size + 1])
        return Page(found[:size], has_previous=False, has_next=len(found) > size)
    page = found[:size]
    if place.backwards:
        return Page(page[::-1], has_previous=True, has_next=True)
    return Page(page, has_previous=True, has_next=more)


def _rows_beyond(rows: "QuerySet[Row]", place: Place, count: int) -> list[Row]:
    """So many rows on one side of the place, the nearest first."""
    columns = [str(column).removeprefix("-") for column in rows.query.order_by]
    row = rows.filter(pk=place.pk).values(*columns).first()
    if row is None:
        return []
    found: list[Row] = []
    for beyond in _ranges_beyond(rows.model, columns, row, count, backwards=place.backwards):
        nearest_first = rows.reverse() if place.backwards else rows
        found += nearest_first.filter(beyond)[: count - len(found)]
        if len(found) == count:
            break
    return found


def _ranges_beyond(
    model: type[Model],
    columns: Sequence[str],
    row: Mapping[str, Any],
    count: int,
    *,
    backwards: bool,
) -> Iterator[Q]:
    """Where the columns, compared like a tuple, lie beyond this row's, the nearest first.

    Range by range of the index, as one condition with OR in it would be read from its beginning.
    """
    for last in reversed(range(len(columns))):
        same = Q(**{column: row[column] for column in columns[:last]})
        column, value = columns[last], row[columns[last]]
        for beyond in _beyond(column, value, count, backwards=backwards):
            yield same & beyond
        if not backwards and value is not None and _is_nullable(model, column):
            yield same & Q(**{f"{column}__isnull": True})


def _beyond(column: str, value: Any, count: int, *, backwards: bool) -> Iterator[Q]:
    """Where one column lies beyond this value.

    Of numbers the next `count` come first, where nearly all rows are, since numbers are dense:
    asked for "below n" without an end, MariaDB's optimizer may read all rows of a large chat.
    """
    if value is None:
        if backwards:
            yield Q(**{f"{column}__isnull": False})
    elif not isinstance(value, int):
        yield Q(**{f"{column}__{'gt' if backwards else 'lt'}": value})
    elif backwards:
        yield Q(**{f"{column}__gt": value, f"{column}__lte": value + count})
        yield Q(**{f"{column}__gt": value + count})
    else:
        yield Q(**{f"{column}__lt": value, f"{column}__gte": value - count})
        if value > count:
            yield Q(**{f"{column}__lt": value - count})


def _is_nullable(model: type[Model], column: str) -> bool:
    return column != "pk" and bool(model._meta.get_field(column).null)
