"""One INSERT for many rows, joined by hand: `bulk_create` costs three times as much CPU.

All values go through the driver, and through the model field wherever that changes the value.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from types import NoneType
from typing import Any
from uuid import UUID

from django.db import DataError, connections
from django.db.models import AutoField, Field, IntegerField

from ingest.records import NumberedRow, RecordType, by_record_type, from_microseconds, record_types
from ingest.row_changes import Action, RowChange, announce

_SECOND = 1_000_000
_is_plain = re.compile("[0-9a-f]{32}").fullmatch


def uuid_text(value: str) -> str:
    """32 digits, which native UUID columns accept too. Raises ValueError, TypeError."""
    return value if _is_plain(value) else UUID(value).hex


def time_text(connection: Any) -> Callable[[int], str]:
    """A function from microseconds since 1970 to this database's text of a time.

    It converts each second once. It raises TypeError, ValueError and OverflowError.
    """
    write = connection.ops.adapt_datetimefield_value

    @cache
    def whole(second: int) -> str:
        return str(write(from_microseconds(second * _SECOND)))

    def text(microseconds: int) -> str:
        second, rest = divmod(microseconds, _SECOND)
        return f"{whole(second)}.{rest:06d}" if rest else whole(second)

    return text


#: A larger statement is hardly faster. 4 MiB fit into a packet even if every byte is escaped.
MAX_ROWS = 1000
MAX_BYTES = 4 * 1024 * 1024

_Field = Field[Any, Any]


@dataclass(frozen=True)
class _Layout:
    """The VALUES of a row, the fields that it gives, and the types they take unconverted.

    `types` are those of a whole row: all combinations, since optional fields may be None.
    """

    values: str
    given: Sequence[_Field]
    plain: Sequence[tuple[type, ...]]
    types: Collection[tuple[type, ...]]

    def prepared(self, given: Sequence[Any]) -> list[Any]:
        """The values, converted by their fields if they have another type."""
        connection = connections["default"]
        return [
            value if type(value) in plain else field.get_db_prep_save(value, connection=connection)
            for field, plain, value in zip(self.given, self.plain, given, strict=True)
        ]


def bulk_insert(rows: Sequence[NumberedRow]) -> None:
    """Insert all of them in the caller's transaction, parents before children.

    Raises DataError for a value that the database cannot hold, and whatever the database raises.
    """
    by_type = by_record_type(rows)
    changes: list[RowChange] = []
    for record_type in record_types().values():
        # Transactions that insert in the same order cannot deadlock.
        in_order = sorted(by_type.get(record_type, ()), key=lambda row: row.key)
        for part in _parts(record_type, in_order):
            _execute_insert(record_type, part)
        if in_order:
            keys = [row.key for row in in_order]
            changes.append(RowChange(record_type.name, Action.CREATED, keys))
    if changes:
        announce(*changes)


def _parts(record_type: RecordType, rows: Sequence[NumberedRow]) -> Iterator[Sequence[NumberedRow]]:
    """The rows in parts that fit into one statement."""
    most_parameters = connections["default"].features.max_query_params
    most = min(MAX_ROWS, (most_parameters or MAX_ROWS * 100) // len(_fields(record_type)))
    start = size = 0
    for place, row in enumerate(rows):
        if place > start and (size + row.size > MAX_BYTES or place - start == most):
            yield rows[start:place]
            start, size = place, 0
        size += row.size
    if rows:
        yield rows[start:]


def _execute_insert(record_type: RecordType, rows: Sequence[NumberedRow]) -> None:
    connection = connections["default"]
    try:
        placeholders, parameters = _values(record_type, rows)
        quote = connection.ops.quote_name
        names = ", ".join(quote(str(field.column)) for field in _fields(record_type))
        table = quote(record_type.model._meta.db_table)
        sql = f"INSERT INTO {table} ({names}) VALUES {placeholders}"  # noqa: S608 - all names
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
    except (TypeError, ValueError, OverflowError) as error:
        # The field or the driver refused the value; nothing was sent.
        raise DataError(f"{type(error).__name__}: {error}") from error


def _values(record_type: RecordType, rows: Sequence[NumberedRow]) -> tuple[str, list[Any]]:
    time = time_text(connections["default"])
    tuples: list[str] = []
    parameters: list[Any] = []
    for row in rows:
        layout = _layout(record_type, leased=row.lease is not None)
        given = row.column_values(time, uuid_text)
        tuples.append(layout.values)
        parameters += given if tuple(map(type, given)) in layout.types else layout.prepared(given)
    return ",".join(tuples), parameters


@cache
def _layout(record_type: RecordType, *, leased: bool) -> _Layout:
    names = record_type.columns(leased=leased)
    by_name = {field.attname: field for field in _fields(record_type)}
    values = ("%s" if name in names else _default(field) for name, field in by_name.items())
    given = [by_name[name] for name in names]
    optional = {each.name for each in record_type.fields if not each.is_required}
    plain = [_plain_types(field, is_optional=field.attname in optional) for field in given]
    return _Layout(f"({','.join(values)})", given, plain, frozenset(product(*plain)))


def _plain_types(field: _Field, *, is_optional: bool) -> tuple[type, ...]:
    """The types whose values the field passes on unchanged."""
    plain = int if isinstance(field, IntegerField) else str
    return (plain, NoneType) if is_optional else (plain,)


def _default(field: _Field) -> str:
    """The field's default as SQL."""
    default = field.get_default() if field.has_default() else None
    if default is None and field.null:
        return "NULL"
    if isinstance(default, int):
        return str(int(default))
    raise RuntimeError(f"{field}: rows give no value, and there is no plain default")


@cache
def _fields(record_type: RecordType) -> Sequence[_Field]:
    """The columns of an INSERT: those that a row may give, then the others."""
    fields = {
        field.attname: field
        for field in record_type.model._meta.concrete_fields
        if not isinstance(field, AutoField)
    }
    given = [name for name in record_type.columns(leased=True) if name in fields]
    return [fields[name] for name in dict.fromkeys((*given, *fields))]
