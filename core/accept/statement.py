"""One INSERT for many rows, joined by hand: `bulk_create` costs three times as much CPU.

A column that a row does not give holds its field's default, written into the statement. All other
values go through the driver, and through the field wherever that changes anything.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any

from django.db import DataError, connections
from django.db.models import AutoField, DateTimeField, Field, UUIDField

from core.changes import tell
from core.rows import Kind, NumberedRow, kinds

#: A larger statement is hardly faster; 4 MiB fit into a packet also when each byte is escaped.
MAX_ROWS = 1000
MAX_BYTES = 4 * 1024 * 1024

_Field = Field[Any, Any]


def insert(rows: Sequence[NumberedRow]) -> None:
    """Insert all of them in the caller's transaction, parents before children.

    Raises DataError for a value that the database cannot hold, and whatever the database raises.
    """
    by_kind: defaultdict[str, list[NumberedRow]] = defaultdict(list)
    for row in rows:
        by_kind[row.kind.name].append(row)
    for name, kind in kinds().items():
        # Rivals that insert in the same order wait for each other and never in a circle.
        for part in _parts(kind, sorted(by_kind[name], key=lambda row: row.key)):
            _insert(kind, part)
            tell(kind, [row.key for row in part])


def _parts(kind: Kind, rows: Sequence[NumberedRow]) -> Iterator[Sequence[NumberedRow]]:
    """Each no more than one statement may hold."""
    most_parameters = connections["default"].features.max_query_params
    most = min(MAX_ROWS, (most_parameters or MAX_ROWS * 100) // len(_fields(kind)))
    start = size = 0
    for place, row in enumerate(rows):
        if place > start and (size + row.size > MAX_BYTES or place - start == most):
            yield rows[start:place]
            start, size = place, 0
        size += row.size
    if rows:
        yield rows[start:]


def _insert(kind: Kind, rows: Sequence[NumberedRow]) -> None:
    connection = connections["default"]
    try:
        placeholders, parameters = _values(kind, rows)
        quote = connection.ops.quote_name
        names = ", ".join(quote(str(field.column)) for field in _fields(kind))
        table = quote(kind.model._meta.db_table)
        sql = f"INSERT INTO {table} ({names}) VALUES {placeholders}"  # noqa: S608 - all names
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
    except (TypeError, ValueError, OverflowError) as error:
        # Not the database's verdict but a field's or the driver's, before anything is sent.
        raise DataError(f"{type(error).__name__}: {error}") from error


def _values(kind: Kind, rows: Sequence[NumberedRow]) -> tuple[str, list[Any]]:
    tuples: list[str] = []
    parameters: list[Any] = []
    prepares = _prepares(kind)
    for row in rows:
        columns = row.columns()
        placeholders, given = _layout(kind.name, tuple(columns))
        tuples.append(placeholders)
        parameters += [prepares[name](columns[name]) for name in given]
    return ",".join(tuples), parameters


def _prepares(kind: Kind) -> dict[str, Callable[[Any], Any]]:
    """How the values of each column are given to the driver; for one statement."""
    connection = connections["default"]
    # A row's times are the same, and the dearest of its values.
    time = cache(connection.ops.adapt_datetimefield_value)

    def prepare(field: _Field) -> Callable[[Any], Any]:
        if isinstance(field, DateTimeField):
            return time
        if isinstance(field, UUIDField):
            return lambda value: value.hex  # which native columns take too
        return partial(field.get_db_prep_save, connection=connection)

    return {field.attname: prepare(field) for field in _fields(kind)}


@cache
def _layout(kind: str, given: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The VALUES of a row that gives these columns, and those columns in the table's order."""
    fields = _fields(kinds()[kind])
    values = ("%s" if field.attname in given else _default(field) for field in fields)
    in_order = tuple(field.attname for field in fields if field.attname in given)
    return f"({','.join(values)})", in_order


def _default(field: _Field) -> str:
    """The field's default as SQL."""
    default = field.get_default() if field.has_default() else None
    if default is None and field.null:
        return "NULL"
    if isinstance(default, int):
        return str(int(default))
    raise RuntimeError(f"{field}: rows give no value, and there is no plain default")


def _fields(kind: Kind) -> Sequence[_Field]:
    """What an INSERT has to name."""
    fields = kind.model._meta.concrete_fields
    return [field for field in fields if not isinstance(field, AutoField)]
