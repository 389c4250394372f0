"""What is accepted: rows that have everything but a number, and the same with their number.

A kind says where its rows are stored and who numbers them. A numbered row travels through Redis and
the queue in a short form (`payload`), whose meaning must stay readable for the processes of the
version before: during a deploy both run side by side.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid4

import orjson
from django.db.models import Model, QuerySet
from django.utils import timezone

from infra.errors import NotFound
from infra.request_context import request_id_var
from ingest.idempotency.keys import RequestKey
from ingest.models import Parent

Key = tuple[str | int, ...]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ACCEPTED = ("created_at", "updated_at", "acceptance")
_LEASE = ("number_ceiling", "lease_epoch", "lease_first", "lease_last", "lease_at")


@dataclass(frozen=True)
class RecordType:
    """One kind of numbered row. `name` is its table's, its queue's and its flags' name.

    `parent_fields` of the parent and all but the last of `key_fields` of the row hold the same.
    """

    name: str
    model: type[Model]
    parent: type[Parent]
    parent_fields: tuple[str, ...]
    key_fields: tuple[str, ...]
    own_fields: tuple[str, ...]
    parent_missing: Callable[[], NotFound]

    @property
    def numbers_children(self) -> bool:
        """Whether such a row gives numbers itself."""
        return issubclass(self.model, Parent)

    def columns(self, *, leased: bool) -> tuple[str, ...]:
        """The columns that a row gives, with or without numbers that it may give itself."""
        return (*self.key_fields, *self.own_fields, *_ACCEPTED, *(_LEASE if leased else ()))

    def key_of(self, row: Model) -> Key:
        """The natural key of a row."""
        return tuple(getattr(row, field) for field in self.key_fields)

    def parent_row(self, key: Key) -> "QuerySet[Parent]":
        """The one row of the parent."""
        return self.parent._default_manager.filter(
            **dict(zip(self.parent_fields, key, strict=True))
        )


_record_types: dict[str, RecordType] = {}


def register_record_type(kind: RecordType) -> None:
    """Announce a kind; called by the application that owns it, when it is ready."""
    _record_types[kind.name] = kind


def record_types() -> Mapping[str, RecordType]:
    """All kinds by name, parents before children."""
    return _record_types


def record_type_of_parent(parent: Key) -> RecordType:
    """The kind whose rows this parent numbers."""
    return next(kind for kind in _record_types.values() if len(kind.parent_fields) == len(parent))


@dataclass(frozen=True, slots=True)
class Lease:
    """Numbers that Redis may give in one epoch: `first` to `last`."""

    epoch: int
    first: int
    last: int


@dataclass(frozen=True)
class NewRow:
    """A row that asks its parent for the next number."""

    kind: ClassVar[RecordType]

    acceptance: str = field(default_factory=lambda: uuid4().hex, kw_only=True)
    accepted_at: datetime = field(default_factory=timezone.now, kw_only=True)
    request_id: str = field(default_factory=request_id_var.get, kw_only=True, compare=False)

    @property
    def parent(self) -> Key:
        """The natural key of the parent."""
        raise NotImplementedError

    @property
    def values(self) -> tuple[str, ...]:
        """What the kind's `own_fields` hold."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """At most so many bytes."""
        return _size(self.values)

    @property
    def accepted_us(self) -> int:
        """When it was accepted, in microseconds since 1970."""
        return (self.accepted_at - _EPOCH) // _MICROSECOND

    def payload(self, lease: Lease | None = None, request: RequestKey | None = None) -> bytes:
        """All but the key, as JSON: it is the same whatever the number will be."""
        return _payload(self.accepted_us, self.acceptance, self.values, lease, request)

    def numbered(
        self,
        number: int,
        lease: Lease | None = None,
        request: RequestKey | None = None,
        encoded: bytes = b"",
    ) -> "NumberedRow":
        """The row with its number, and the numbers that it may give itself.

        `encoded` is its payload where that has been made.
        """
        return NumberedRow(
            self.kind,
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

    Nobody changes one: to have Python forbid it would cost each row a microsecond.

    `request` is there in the first row of a request that may be repeated. `encoded` is the payload
    where that has been made. `request_id`, where it is known, is what logs call the request.
    """

    kind: RecordType
    key: Key
    accepted_us: int
    acceptance: str
    values: tuple[str, ...]
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
        """At most so many bytes."""
        return _size(self.values)

    @property
    def accepted_at(self) -> datetime:
        """When it was accepted."""
        return from_microseconds(self.accepted_us)

    def payload(self) -> bytes:
        """All but the key, as JSON: it is the same whatever the number will be."""
        return self.encoded or _payload(
            self.accepted_us, self.acceptance, self.values, self.lease, self.request
        )

    def given(self, time: Callable[[int], Any], uuid: Callable[[str], Any]) -> tuple[Any, ...]:
        """What is to be stored in the kind's columns; times and UUIDs as these functions say it.

        Raises ValueError for a key of other parts than the kind's.
        """
        if len(self.key) != len(self.kind.key_fields):
            raise ValueError(f"a key of {len(self.key)} parts")
        at, lease = time(self.accepted_us), self.lease
        given = (*self.key, *self.values, at, at, uuid(self.acceptance))
        return (*given, lease.last, lease.epoch, lease.first, lease.last, at) if lease else given

    def columns(self) -> dict[str, Any]:
        """The same by the names of the columns."""
        names = self.kind.columns(leased=self.lease is not None)
        return dict(zip(names, self.given(from_microseconds, UUID), strict=True))

    def instance(self) -> Model:
        """The row as the model that will be stored."""
        return self.kind.model(**self.columns())


def from_microseconds(microseconds: int) -> datetime:
    """So long after the beginning of 1970."""
    return _EPOCH + microseconds * _MICROSECOND


def _payload(
    accepted_us: int,
    acceptance: str,
    values: tuple[str, ...],
    lease: Lease | None,
    request: RequestKey | None,
) -> bytes:
    numbers = lease and (lease.epoch, lease.first, lease.last)
    if request is None:
        return orjson.dumps((accepted_us, acceptance, values, numbers))
    keys = (request.name, request.fingerprint)
    return orjson.dumps((accepted_us, acceptance, values, numbers, keys))


def _size(values: Sequence[str]) -> int:
    """Four bytes for each character are the most that UTF-8 takes."""
    return 4 * sum(map(len, values))


def from_payload(
    kind: RecordType, key: Key, payload: Sequence[Any], request_id: str = ""
) -> NumberedRow:
    """The row of a payload that was read from JSON. Raises ValueError, TypeError for what is none.

    Types are checked here, once for all readers: a list in the place of a text may be too deep for
    whatever the row meets next.
    """
    accepted_us, acceptance, values, lease, *rest = payload
    if _types(accepted_us, *(lease or ())) != {int}:
        raise ValueError("numbers of a row are of another type")
    if _types(acceptance, *values, *(rest[0] if rest else ())) != {str}:
        raise ValueError("texts of a row are of another type")
    return NumberedRow(
        kind,
        key,
        accepted_us,
        acceptance,
        tuple(values),
        Lease(*lease) if lease else None,
        RequestKey(*rest[0]) if rest else None,
        request_id=request_id,
    )


def _types(*values: object) -> set[type]:
    return set(map(type, values))
