"""The task message of numbered rows: ranges of consecutive numbers, each with its parent once.

The format has a version, because old and new processes run side by side during a deploy:
`{"format": 1, "kind": "messages", "ranges": [[parent, first number, [payload, ...]], ...],
"requests": [[request id, number of rows], ...]}`. The requests are for logs; they may be missing.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, groupby, repeat
from typing import Any

import orjson

from infra.rabbitmq.publisher import task_message
from ingest.records import NumberedRow, from_payload, record_types

FORMAT_VERSION = 1
#: The task's name in messages; processes of the previous release know no other.
STORE_ROWS_TASK = "core.accept.tasks.store_rows"
#: Its name from the next release on. Workers of this release accept it already.
NEXT_STORE_ROWS_TASK = "ingest.writer.store_queued_rows"


class UnknownFormat(ValueError):
    """A message that this release cannot read."""


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
        payloads = [orjson.Fragment(row.payload()) for row in range_rows]
        yield parent, range_rows[0].number, payloads
