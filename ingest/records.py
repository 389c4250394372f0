"""Record types, and rows on their way in: first without a number, then with one."""

from collections import defaultdict, namedtuple
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from random import getrandbits
from typing import Any
from uuid import UUID

import orjson
from django.db.models import Model, QuerySet

from infra.errors import FieldError, Invalid, NotFound
from infra.logs import request_id_var
from infra.versions import FIRST_VERSION
from ingest.fields import Field, Value, Values, read_fields
from ingest.idempotency import RequestKey
from ingest.metrics import SET_ASIDE
from ingest.models import Parent

#: A natural key: the parts that the address of a row has, in order. Record types name the parts.
Key = tuple[str | int, ...]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ACCEPTED = ("created_at", "updated_at", "acceptance")
_LEASE = ("number_ceiling", "lease_epoch", "lease_first", "lease_last", "lease_at")


@dataclass(frozen=True, eq=False)
class RecordType:
    """One kind of numbered row.

    `name` is the name of its table, its queue and its dirty flags. `key` and `parent_key` are the
    natural keys of a row and of its parent; all parts of a row's key but the last are its parent's.
    `missing` and `parent_missing` make the errors for a row, or a parent, that does not exist.
    `count_field` is the column of the parent that counts such rows, `child_count_field` the one of
    the row itself, if it has children. A row of a type with `is_erasable` can lose its values for
    good and keep its number; its model has `erased_at`.
    """

    name: str
    model: type[Model]
    key: type[Key]
    missing: Callable[[], NotFound]
    parent: type[Parent]
    parent_key: type[Key]
    parent_missing: Callable[[], NotFound]
    fields: tuple[Field, ...]
    count_field: str
    child_count_field: str | None = None
    is_erasable: bool = False

    @cached_property
    def key_fields(self) -> tuple[str, ...]:
        """The columns of a row's key; the last one is its number."""
        return _parts(self.key)

    @cached_property
    def parent_fields(self) -> tuple[str, ...]:
        """The columns of the parent's key, in the parent's table."""
        return _parts(self.parent_key)

    @cached_property
    def number_field(self) -> str:
        """The column of the number."""
        return self.key_fields[-1]

    @cached_property
    def field_names(self) -> tuple[str, ...]:
        """The columns of the fields, in the order of a payload."""
        return tuple(each.name for each in self.fields)

    @cached_property
    def numbers_children(self) -> bool:
        """Whether such a row numbers rows itself."""
        return issubclass(self.model, Parent)

    def columns(self, *, leased: bool) -> tuple[str, ...]:
        """The columns that a row gives, with or without the lease of its children's numbers."""
        return (*self.key_fields, *self.field_names, *_ACCEPTED, *(_LEASE if leased else ()))

    def key_of(self, row: Model) -> Key:
        """The natural key of a stored row."""
        return tuple(getattr(row, name) for name in self.key_fields)

    def rows(self, key: Key) -> "QuerySet[Any]":
        """The stored rows whose key begins with these parts: one row, or those of a parent."""
        return self.model._default_manager.filter(**dict(zip(self.key_fields, key, strict=False)))

    def parent_row(self, key: Key) -> "QuerySet[Parent]":
        """The one row of the parent."""
        return self.parent._default_manager.filter(
            **dict(zip(self.parent_fields, key, strict=True))
        )

    def new(self, parent: Key, *, accepted_at: datetime | None = None, **values: Value) -> "NewRow":
        """A new row of clean values; optional fields may be missing."""
        given = tuple([values.get(name) for name in self.field_names])
        return NewRow(self, parent, given, accepted_at or datetime.now(UTC))

    def clean(self, data: object) -> dict[str, Value]:
        """The values of all fields in a request. Raises Invalid with all errors."""
        return read_fields(self.fields, data)

    def clean_changes(self, data: object) -> dict[str, Value]:
        """The values of the fields that a request names, at least one. Raises Invalid."""
        if not isinstance(data, dict):
            return read_fields(self.fields, data)
        named = [each for each in self.fields if each.name in data]
        if not named:
            message = f"At least one of these is required: {', '.join(self.field_names)}."
            raise Invalid(FieldError(self.field_names[0], "required", message))
        return read_fields(named, data)

    @cached_property
    def blank_values(self) -> Values:
        """The values of an erased row: a column that requires a text has an empty one."""
        return tuple("" if each.is_required else None for each in self.fields)

    @cached_property
    def _json_fields(self) -> tuple[str, ...]:
        """The names of the fields that are stored as JSON."""
        return tuple(each.name for each in self.fields if each.is_json)

    @cached_property
    def _json_names(self) -> tuple[str, ...]:
        """The names of a row's JSON, in their order; all are attributes of the model."""
        *parent, number = self.key_fields
        counts = (self.child_count_field,) if self.child_count_field else ()
        return (number, *parent, *self.field_names, *counts, "created_at", "updated_at")

    @cached_property
    def shown_names(self) -> tuple[str, ...]:
        """The columns of a row as it is shown: those of its JSON, then what decides about it."""
        erased = ("erased_at",) if self.is_erasable else ()
        return (*self._json_names, *erased, "version", "id")

    @cached_property
    def shown_row(self) -> Any:
        """The class of rows as they are shown, a named tuple: its times are text, as in JSON.

        A pending row has no `id`.
        """
        return namedtuple("ShownRow", self.shown_names)  # noqa: PYI024 - the names are data

    def show(self, row: Model) -> Any:
        """A row of the model as it is shown."""
        values = [getattr(row, name) for name in self.shown_names]
        return self.shown_row._make(
            timestamp(value) if isinstance(value, datetime) else value for value in values
        )

    def show_new(self, row: "NumberedRow") -> Any:
        """A row that was accepted and may not be stored yet, as it is shown."""
        *parent, number = row.key
        at = timestamp(row.accepted_at)
        children = (0,) if self.child_count_field else ()
        erased = (None,) if self.is_erasable else ()
        values = (number, *parent, *row.values, *children, at, at, *erased, FIRST_VERSION, None)
        return self.shown_row._make(values)

    def as_json(self, row: Any) -> dict[str, object]:
        """The JSON of a shown row."""
        shown: dict[str, object] = dict(zip(self._json_names, row, strict=False))
        for name in self._json_fields:
            if isinstance(value := shown[name], str):
                shown[name] = orjson.Fragment(value)  # it is JSON already
        if self.is_erasable and row.erased_at is not None:
            shown |= dict.fromkeys(self.field_names)
            shown["erased_at"] = row.erased_at
        return shown


def _random_uuid() -> str:
    """A UUID of version 4 (RFC 9562) in hexadecimal. uuid4() takes more than twice as long."""
    digits = f"{getrandbits(120):030x}"
    return f"{digits[:12]}4{digits[12:15]}8{digits[15:]}"


def _parts(key: type[Key]) -> tuple[str, ...]:
    """The names of the parts of a key, which is a NamedTuple."""
    names: tuple[str, ...] = getattr(key, "_fields")  # noqa: B009 - a plain tuple has none
    return names


_record_types: dict[str, RecordType] = {}


def register_record_type(record_type: RecordType) -> None:
    """Announce a record type. The application that owns it calls this in ready()."""
    _record_types[record_type.name] = record_type
    SET_ASIDE.labels(record_type.name)


def record_types() -> Mapping[str, RecordType]:
    """All record types by name, parents before children."""
    return _record_types


def record_type_of_parent(parent: Key) -> RecordType:
    """The type of the rows that this parent numbers. Keys of different types differ in length."""
    return next(each for each in _record_types.values() if len(each.parent_fields) == len(parent))


@dataclass(frozen=True, slots=True)
class Lease:
    """Numbers that Redis may give in one epoch: `first` to `last`."""

    epoch: int
    first: int
    last: int


@dataclass(slots=True, unsafe_hash=True)
class NewRow:
    """A row that asks its parent for the next number.

    `values` are those of the record type's fields, in their order. It is not frozen, for the same
    reason as NumberedRow.
    """

    record_type: RecordType
    parent: Key
    values: Values
    accepted_at: datetime
    acceptance: str = field(default_factory=_random_uuid, kw_only=True)
    request_id: str = field(default_factory=request_id_var.get, kw_only=True, compare=False)

    @property
    def size(self) -> int:
        """An upper bound of its bytes: UTF-8 takes at most four for a character."""
        return 4 * sum(map(len, filter(None, self.values)))

    @property
    def accepted_us(self) -> int:
        """When it was accepted, in microseconds since 1970."""
        return (self.accepted_at - _EPOCH) // _MICROSECOND

    def numbered(
        self,
        number: int,
        lease: Lease | None = None,
        request: RequestKey | None = None,
        encoded: bytes = b"",
    ) -> "NumberedRow":
        """The row with this number; `encoded` is its payload where that was made before."""
        return NumberedRow(
            self.record_type,
            (*self.parent, number),
            self.accepted_us,
            self.acceptance,
            self.values,
            lease,
            request,
            encoded,
            self.request_id,
        )


@dataclass(slots=True, unsafe_hash=True)
class NumberedRow:
    """A row with its number; `accepted_us` counts microseconds since 1970, `acceptance` is hex.

    Nothing changes a row, but it is not frozen: that would cost a microsecond for each.

    `request` is the idempotency key, in the first row of its request. `encoded` is the payload, if
    it was made before. `request_id` is the request's name in logs, if it is known.
    """

    record_type: RecordType
    key: Key
    accepted_us: int
    acceptance: str
    values: Values
    lease: Lease | None = None
    request: RequestKey | None = None
    encoded: bytes = field(default=b"", compare=False, repr=False)
    request_id: str = field(default="", compare=False)

    @property
    def parent(self) -> Key:
        """The natural key of the parent."""
        return self.key[:-1]

    @property
    def number(self) -> int:
        """Its number within the parent."""
        return int(self.key[-1])

    @property
    def size(self) -> int:
        """An upper bound of its bytes: UTF-8 takes at most four for a character."""
        return 4 * sum(map(len, filter(None, self.values)))

    @property
    def accepted_at(self) -> datetime:
        """When it was accepted."""
        return from_microseconds(self.accepted_us)

    def column_values(
        self, time: Callable[[int], Any], uuid: Callable[[str], Any]
    ) -> tuple[Any, ...]:
        """The values of the record type's columns; `time` and `uuid` convert to the database's.

        Raises ValueError for a key with a wrong number of parts.
        """
        if len(self.key) != len(self.record_type.key_fields):
            raise ValueError(f"a key of {len(self.key)} parts")
        at, lease = time(self.accepted_us), self.lease
        values = (*self.key, *self.values, at, at, uuid(self.acceptance))
        if lease is None:
            return values
        return (*values, lease.last, lease.epoch, lease.first, lease.last, at)

    def columns(self) -> dict[str, Any]:
        """The same by the names of the columns."""
        names = self.record_type.columns(leased=self.lease is not None)
        return dict(zip(names, self.column_values(from_microseconds, UUID), strict=True))

    def instance(self) -> Model:
        """The row as an unsaved instance of its model."""
        return self.record_type.model(**self.columns())


def by_record_type(rows: Iterable[NumberedRow]) -> Mapping[RecordType, list[NumberedRow]]:
    """The rows of each record type, in order."""
    by_type: defaultdict[RecordType, list[NumberedRow]] = defaultdict(list)
    for row in rows:
        by_type[row.record_type].append(row)
    return by_type


def to_microseconds(at: datetime) -> int:
    """The microseconds from the beginning of 1970 to this time."""
    return (at - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The time at so many microseconds after the beginning of 1970, in UTC."""
    return _EPOCH + microseconds * _MICROSECOND


def timestamp(at: datetime) -> str:
    """A time as every route shows it: 2026-01-31T12:00:00.000000Z."""
    return at.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
