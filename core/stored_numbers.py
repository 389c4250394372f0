"""Looks at the index that ends in the number of one parent's stored rows; no row is read.

In SQL, since Django takes longer to write such a statement than a database to answer it.
"""

from functools import cache
from typing import Any

from django.db import connection

from core.rows import Key, Kind, kind_of


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
