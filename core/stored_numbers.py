"""Looks at the index that ends in the number of one parent's stored rows; no row is read.

In SQL, since Django takes longer to write such a statement than a database to answer it.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.db import connection

from core.rows import Key, Kind, kind_of

MAX_NUMBER = 2**63 - 1


def between(parent: Key, first: int, last: int) -> list[int]:
    """Those from the first to the last, in ascending order."""
    return _ask("{number}", "BETWEEN %s AND %s ORDER BY {number}", parent, first, last)


def lowest_above(parent: Key, number: int) -> int | None:
    """The number that follows this one; None at the end."""
    found: int | None = _ask("MIN({number})", "> %s", parent, number)[0]
    return found


def highest_below(parent: Key, number: int) -> int | None:
    """The number that comes before this one; None at the beginning."""
    found: int | None = _ask("MAX({number})", "< %s", parent, number)[0]
    return found


def spread(parent: Key) -> int:
    """How many numbers lie from the lowest to the highest; 0 without rows.

    A ceiling may lie far above, and a skip far below the first row: neither says how much there is.
    """
    lowest = lowest_above(parent, -1)
    highest = highest_below(parent, MAX_NUMBER)
    return 0 if lowest is None or highest is None else highest - lowest + 1


def ranges(
    parent: Key, size: int, *, after: int = -1, through: int = MAX_NUMBER
) -> Iterator[range]:
    """Ranges of `size` numbers in ascending order, each of which begins with a stored one.

    Together they hold all rows above `after` and up to `through`, and there are never more ranges
    than rows, however far apart the numbers are. Each is looked for when it is asked for.
    """
    first = lowest_above(parent, after)
    while first is not None and first <= through:
        yield range(first, first + size)
        first = lowest_above(parent, first + size - 1)


def _ask(what: str, which: str, parent: Key, *bounds: int) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(_statement(kind_of(parent), what, which), [*parent, *bounds])
        return [found for (found,) in cursor.fetchall()]


@cache
def _statement(kind: Kind, what: str, which: str) -> str:
    quote = connection.ops.quote_name
    *shared, number = map(quote, kind.key_fields)
    what, which = (part.format(number=number) for part in (what, which))
    table = quote(kind.model._meta.db_table)
    of_parent = " AND ".join(f"{column} = %s" for column in shared)
    # Of names that are ours.
    return f"SELECT {what} FROM {table} WHERE {of_parent} AND {number} {which}"  # noqa: S608
