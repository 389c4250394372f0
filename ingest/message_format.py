"""The format of rows on their way through Redis and the queue.

A row travels as a short payload: everything but its key, as JSON. It does not depend on the number.
A member of Redis's set of pending rows is a number, a time of acceptance and a payload. A task
message carries ranges of consecutive numbers, each with its parent once:
`{"format": 1, "kind": "messages", "ranges": [[parent, first number, [payload, ...]], ...],
"requests": [[request id, number of rows], ...]}`. The requests are for logs; they may be missing.

Processes of two releases read the same rows during a deploy. So payloads only grow at the end, and
messages have a version.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, groupby, repeat
from typing import Any

import orjson

from infra.rabbitmq.publisher import task_message
from ingest.fields import Values
from ingest.idempotency import RequestKey
from ingest.records import (
    Key,
    Lease,
    NewRow,
    NumberedRow,
    RecordType,
    record_type_of_parent,
    record_types,
)

FORMAT_VERSION = 1
#: The task's name in messages; processes of the previous release know no other.
STORE_ROWS_TASK = "core.accept.tasks.store_rows"
#: Its name from the next release on. Workers of this release accept it already.
NEXT_STORE_ROWS_TASK = "ingest.writer.store_queued_rows"


class UnknownFormat(ValueError):
    """A message that this release cannot read."""


def payload_of(row: NumberedRow) -> bytes:
    """The payload of a row with a number, made now unless it was made before."""
    return row.encoded or new_payload(row, row.lease, row.request)


def new_payload(
    row: NewRow | NumberedRow, lease: Lease | None, request: RequestKey | None
) -> bytes:
    """The payload of a row with this lease and this idempotency key."""
    values = _without_trailing_nulls(row.values)
    numbers = lease and (lease.epoch, lease.first, lease.last)
    if request is None:
        return orjson.dumps((row.accepted_us, row.acceptance, values, numbers))
    keys = (request.name, request.fingerprint)
    return orjson.dumps((row.accepted_us, row.acceptance, values, numbers, keys))


def from_payload(
    record_type: RecordType, key: Key, payload: Sequence[Any], request_id: str = ""
) -> NumberedRow:
    """The row of a payload that was read from JSON. Raises ValueError or TypeError if it is none.

    Types are checked here, once for all readers: a list in place of a text may be nested too deep
    for the code that handles the row next. A payload of a release that knew fewer fields has no
    values of the others.
    """
    accepted_us, acceptance, values, lease, *rest = payload
    if _types(accepted_us, *(lease or ())) != {int}:
        raise ValueError("numbers of a row are of another type")
    if _types(acceptance, *(rest[0] if rest else ())) != {str}:
        raise ValueError("texts of a row are of another type")
    return NumberedRow(
        record_type,
        key,
        accepted_us,
        acceptance,
        _checked_values(record_type, values),
        Lease(*lease) if lease else None,
        RequestKey(*rest[0]) if rest else None,
        request_id=request_id,
    )


def _checked_values(record_type: RecordType, values: Sequence[Any]) -> Values:
    fields = record_type.fields
    if len(values) > len(fields):
        raise ValueError(f"{len(values)} values for {len(fields)} fields")
    given = (*values, *[None] * (len(fields) - len(values)))
    for each, value in zip(fields, given, strict=True):
        if not each.accepts(value):
            raise ValueError(f"{each.name} is of another type")
        if each.is_json and value is not None:
            orjson.loads(value)  # it is spliced into responses as it is
    return given


def _types(*values: object) -> set[type]:
    return set(map(type, values))


def _without_trailing_nulls(values: Values) -> Values:
    """The values that a payload carries.

    A worker of the release before, which does not know a new field, stores rows without it.
    """
    count = len(values)
    while values[count - 1] is None:
        count -= 1
    return values[:count]


def write_message(rows: Sequence[NumberedRow]) -> tuple[dict[str, Any], bytes]:
    """Headers and body of the task that stores these rows, all of one record type."""
    in_order = sorted(rows, key=lambda row: row.key)
    envelope = {
        "format": FORMAT_VERSION,
        "kind": rows[0].record_type.name,
        "ranges": list(_ranges(in_order)),
        "requests": [
            (request_id, len(list(of_request)))
            for request_id, of_request in groupby(in_order, key=lambda row: row.request_id)
        ],
    }
    return task_message(STORE_ROWS_TASK, envelope)


def read_message(body: bytes) -> list[NumberedRow]:
    """The rows of a task message's body. Raises UnknownFormat."""
    try:
        [envelope], _, _ = orjson.loads(body)
    except (ValueError, TypeError) as error:
        raise UnknownFormat(f"not a task message: {error}") from error
    return read_envelope(envelope)


def read_envelope(envelope: dict[str, Any]) -> list[NumberedRow]:
    """The rows of an envelope. Raises UnknownFormat."""
    try:
        if envelope["format"] != FORMAT_VERSION:
            raise UnknownFormat(f"format {envelope['format']}")
        kind = record_types()[envelope["kind"]]
        runs = envelope.get("requests", ())
        request_ids = chain.from_iterable(repeat(str(run[0]), int(run[1])) for run in runs)
        return [
            from_payload(kind, (*parent, first + place), payload, next(request_ids, ""))
            for parent, first, payloads in map(_checked, envelope["ranges"])
            for place, payload in enumerate(payloads)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise UnknownFormat(f"{type(error).__name__}: {error}") from error


def _checked(of_range: Sequence[Any]) -> Sequence[Any]:
    """The range, after a check of the types of its parent and number. Raises ValueError."""
    parent, first, _ = of_range
    if type(first) is not int or not all(type(part) in (str, int) for part in parent):
        raise ValueError("a range has no key")
    return of_range


def _ranges(in_order: Iterable[NumberedRow]) -> Iterable[tuple[Any, int, list[orjson.Fragment]]]:
    by_range = groupby(enumerate(in_order), key=lambda one: (one[1].parent, one[1].number - one[0]))
    for (parent, _), numbered in by_range:
        range_rows = [row for _, row in numbered]
        payloads = [orjson.Fragment(payload_of(row)) for row in range_rows]
        yield parent, range_rows[0].number, payloads


class Undecodable(ValueError):
    """A member that this release cannot read."""


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A row and the time of its acceptance."""

    row: NumberedRow
    accepted_ms: int


def read_member(parent: Key, member: bytes) -> PendingRow:
    """The row of a member. Raises Undecodable, and nothing else.

    Each list of the newest messages reads those that are pending, so small ones are remembered.
    """
    read = _remembered if len(member) <= _SMALL_BYTES else _read_member
    return read(parent, member)


def _read_member(parent: Key, member: bytes) -> PendingRow:
    try:
        number, accepted_ms, payload = member.split(b" ", 2)
        row = from_payload(
            record_type_of_parent(parent), (*parent, int(number)), orjson.loads(payload)
        )
        # Valid JSON may still not be a row.
        row.columns()
        return PendingRow(row, int(accepted_ms))
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise Undecodable(f"{type(error).__name__}: {error}") from error


#: The longest members that are remembered, and their highest number.
_SMALL_BYTES, _REMEMBERED = 1024, 4096
_remembered = lru_cache(maxsize=_REMEMBERED)(_read_member)
