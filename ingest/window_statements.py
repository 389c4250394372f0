"""The SQL that reads a window of a parent's stored rows, or of their numbers alone."""

from enum import StrEnum
from functools import cache

from django.db import connection
from django.db.models import Model

from ingest.records import RecordType


class Part(StrEnum):
    """What is read of stored rows."""

    ROWS = "rows as they are shown"
    NUMBERS = "numbers"
    LOWEST = "lowest number"
    HIGHEST = "highest number"


#: Makes the text of a time, in the format of `ingest.records.timestamp`.
_TIME = {
    "mysql": "DATE_FORMAT({column}, '%%Y-%%m-%%dT%%H:%%i:%%s.%%fZ')",
    "sqlite": "REPLACE(SUBSTR({column} || '.000000', 1, 26), ' ', 'T') || 'Z'",
}
_TIMES = ("created_at", "updated_at", "erased_at")


@cache
def statement(kind: RecordType, part: Part, after: bool, before: bool, descending: bool) -> str:
    """Raw SQL: Django takes longer to build such a statement than a database to answer it.

    All names are our own, so nothing can be injected.
    """
    quote = connection.ops.quote_name
    *shared, number = map(quote, kind.key_fields)
    first = {Part.LOWEST: f"MIN({number})", Part.HIGHEST: f"MAX({number})"}.get(part, number)

    def other_column(name: str) -> str:
        if part != Part.ROWS:
            return _filling(kind.model, name, first)
        return (
            _TIME[connection.vendor].format(column=quote(name)) if name in _TIMES else quote(name)
        )

    columns = ", ".join([first, *map(other_column, kind.shown_names[1:]), "%s"])
    conditions = [f"{column} = %s" for column in shared]
    conditions += [f"{number} > %s"] * after + [f"{number} < %s"] * before
    order = f" ORDER BY {number}{' DESC' * descending}" * (first == number)
    table, wanted = quote(kind.model._meta.db_table), " AND ".join(conditions)
    return f"SELECT {columns} FROM {table} WHERE {wanted}{order} LIMIT %s"  # noqa: S608


def _filling(model: type[Model], name: str, number: str) -> str:
    """What stands for a column where only a number is asked for.

    It has the type of the column: in a union with NULL, MariaDB would make decimals of integers,
    and Vitess, which unites what shards have united, bytes of text.
    """
    kind = model._meta.get_field(name).get_internal_type()
    if kind.startswith("Positive"):
        return number
    return "0" if kind.endswith("AutoField") else "CAST(NULL AS CHAR)"
