"""Replaying a dead letter by the workers' own insert, or discarding it; dead letters as objects.

Both may be repeated and interrupted anywhere, and need neither Redis nor the broker.
"""

from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from django.db.models import QuerySet

from infra.database import in_transaction
from infra.logs import Event, get_logger
from ingest.dead_letters.consumer import MESSAGE, readable_rows
from ingest.dead_letters.set_aside import (
    MAX_NUMBER,
    MAX_REASON_CHARACTERS,
    MAX_TOKEN_CHARACTERS,
)
from ingest.idempotent_insert import rows_not_stored, store_rows
from ingest.message_format import Undecodable, UnknownFormat, from_payload, read_member
from ingest.metrics import SET_ASIDE
from ingest.models import DeadLetter, letters_of
from ingest.numbering.leases import record_skip
from ingest.post_commit import finish_unqueued
from ingest.records import Key, NumberedRow, record_type_of_parent, record_types

logger = get_logger(__name__)

#: Replays a letter of some kind, in the transaction that removes the letter.
Replay = Callable[[DeadLetter], object]

_replays: dict[str, Replay] = {}


class StillSetAside(Exception):
    """It still cannot be stored or read; the text says why."""


def register_replay(kind: str, way: Replay) -> None:
    """Announce how to replay letters of a kind that are not rows. Their owner calls this."""
    _replays[kind] = way
    SET_ASIDE.labels(kind)


def replay(letter: DeadLetter) -> None:
    """Store the letter's content and remove the letter. Raises StillSetAside, OperationalError."""
    if letter.kind in _replays:
        in_transaction(partial(_replay_otherwise, letter))
        return
    try:
        rows = rows_in(letter)
    except UnknownFormat as error:
        reason = f"cannot be read: {error}"[:MAX_REASON_CHARACTERS]
        _itself(letter).update(reason=reason)
        raise StillSetAside(reason) from error
    store_rows(rows)
    finish_unqueued(rows)
    refused = rows_not_stored(rows)
    if letter.acceptance.hex not in {row.acceptance for row in refused}:
        _itself(letter).delete()
    if refused:
        raise StillSetAside(_reason_for(refused))


def discard(letter: DeadLetter) -> None:
    """Give the letter up and record its numbers as skipped. Raises OperationalError."""
    if in_transaction(partial(_discard, letter)):
        logger.warning(Event.DISCARDED, letter=letter.pk, kind=letter.kind, key=letter.key)


def rows_in(letter: DeadLetter) -> list[NumberedRow]:
    """The rows of the letter. Raises UnknownFormat if it cannot be read or has none."""
    try:
        if letter.kind == MESSAGE:
            return readable_rows(b64decode(letter.payload["body"]))
        row = _row_in(letter)
        row.columns()  # valid JSON may still not be a row
    except (Undecodable, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnknownFormat(str(error)) from error
    return [row]


def _row_in(letter: DeadLetter) -> NumberedRow:
    if isinstance(letter.payload, str):
        return read_member(tuple(letter.key), letter.payload.encode()).row
    return from_payload(record_types()[letter.kind], tuple(letter.key), letter.payload)


def _itself(letter: DeadLetter) -> "QuerySet[DeadLetter]":
    return DeadLetter.objects.filter(application_token=letter.application_token, pk=letter.pk)


def _replay_otherwise(letter: DeadLetter) -> None:
    _replays[letter.kind](letter)
    _itself(letter).delete()


def _reason_for(refused: Sequence[NumberedRow]) -> str:
    row = refused[0]
    letters = DeadLetter.objects.filter(letters_of(row.key[0]), acceptance=row.acceptance)
    first = letters.values_list("reason", flat=True).first() or "it was set aside again"
    return first if len(refused) == 1 else f"{len(refused)} rows, the first: {first}"


def _discard(letter: DeadLetter) -> bool:
    removed, _ = _itself(letter).delete()
    if not removed:
        return False
    for parent, number in _places(letter):
        if not _is_taken(parent, number):
            why = f"discarded: {letter.reason}"
            record_skip(parent, number + 1, why, skipped_from=number)
    return True


def _places(letter: DeadLetter) -> Iterator[tuple[Key, int]]:
    """The numbers of the letter's rows, as far as they can be read."""
    if letter.kind in _replays:
        return
    try:
        places = [(row.parent, row.number) for row in rows_in(letter)]
    except UnknownFormat:
        places = [(tuple(letter.key), letter.number)] if letter.number else []
    for parent, number in places:
        # Other places have no parent, so no number is missing there.
        if 0 < number <= MAX_NUMBER and 0 < len(str(parent[0])) <= MAX_TOKEN_CHARACTERS:
            yield parent, number


def _is_taken(parent: Key, number: int) -> bool:
    return record_type_of_parent(parent).rows((*parent, number)).exists()


def as_summary(letter: DeadLetter) -> dict[str, Any]:
    """The fields that identify the letter, and its reason."""
    return {
        "id": letter.pk,
        "kind": letter.kind,
        "queue": letter.queue,
        "key": letter.key,
        "acceptance": str(letter.acceptance),
        "reason": letter.reason,
        "set_aside_at": letter.set_aside_at.isoformat(),
    }


def as_object(letter: DeadLetter) -> dict[str, Any]:
    """All fields; for a message also its text."""
    fields = {**as_summary(letter), "payload": letter.payload, "traceback": letter.traceback}
    if letter.kind == MESSAGE:
        fields["text"] = b64decode(letter.payload["body"]).decode(errors="backslashreplace")
    return fields
