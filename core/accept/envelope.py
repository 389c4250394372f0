"""A task message of numbered rows: ranges of consecutive numbers, each with its parent said once.

The format carries its version, since old and new processes run side by side during a deploy:
`{"format": 1, "kind": "messages", "ranges": [[parent, first number, [payload, ...]], ...]}`.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import orjson

from core.broker.task import task
from core.rows import NumberedRow, from_payload, kinds

FORMAT = 1
TASK = "core.accept.tasks.store_rows"


class UnknownFormat(ValueError):
    """A message that this version cannot read."""


def task_message(rows: Sequence[NumberedRow]) -> tuple[dict[str, Any], bytes]:
    """Headers and body of a task that stores these rows, all of one kind."""
    envelope = {"format": FORMAT, "kind": rows[0].kind.name, "ranges": list(_ranges(rows))}
    return task(TASK, envelope)


def rows_of_body(body: bytes) -> list[NumberedRow]:
    """The rows of a task message's body. Raises UnknownFormat."""
    try:
        [envelope], _, _ = orjson.loads(body)
    except (ValueError, TypeError) as error:
        raise UnknownFormat(f"not a task message: {error}") from error
    return rows_of(envelope)


def rows_of(envelope: dict[str, Any]) -> list[NumberedRow]:
    """The rows of an envelope. Raises UnknownFormat."""
    try:
        if envelope["format"] != FORMAT:
            raise UnknownFormat(f"format {envelope['format']}")
        kind = kinds()[envelope["kind"]]
        return [
            from_payload(kind, (*parent, first + place), payload)
            for parent, first, payloads in envelope["ranges"]
            for place, payload in enumerate(payloads)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise UnknownFormat(f"{type(error).__name__}: {error}") from error


def _ranges(rows: Iterable[NumberedRow]) -> Iterable[tuple[Any, int, list[orjson.Fragment]]]:
    in_order = sorted(rows, key=lambda row: row.key)
    by_range = groupby(enumerate(in_order), key=lambda one: (one[1].parent, one[1].number - one[0]))
    for (parent, _), numbered in by_range:
        range_rows = [row for _, row in numbered]
        payloads = [orjson.Fragment(row.payload()) for row in range_rows]
        yield parent, range_rows[0].number, payloads
