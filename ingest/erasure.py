"""Erasure: a row loses its values for good, keeps its number, and shows when it was erased.

A pending row is stored first, like for an update, so the insert that is still queued is dropped as
a duplicate later. A row that is a dead letter is stored without its values. Dead letters of its
number go in the same transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from infra.database import in_transaction
from infra.errors import Stale
from infra.logs import Event, get_logger
from infra.natural_keys import with_keys
from infra.redis_client import redis_is_configured
from infra.versions import Versions
from ingest.dead_letters.replay import rows_in
from ingest.edits import store_if_pending
from ingest.idempotent_insert import store_rows
from ingest.message_format import UnknownFormat
from ingest.models import DeadLetter, letters_of
from ingest.post_commit import finish_unqueued
from ingest.read_your_writes import MaybeQueued, may_be_queued
from ingest.records import Key, NumberedRow, RecordType
from ingest.redis_keys import parent_name
from ingest.row_changes import Action, RowChange, announce

logger = get_logger(__name__)


def erase(kind: RecordType, key: Key, expected: Versions | None = None) -> bool:
    """Erase the row of this key; false if it was erased before.

    Raises the type's `missing`, Stale if the row has none of the `expected` versions, MaybeQueued.
    """
    change = partial(in_transaction, partial(_erase_stored, kind, key, expected))
    erased = change()
    if erased is None and redis_is_configured():
        store_if_pending(key)
        erased = change()
    if erased is None and _store_dead_letter(kind, key):
        erased = change()
    if erased is None:
        if may_be_queued(key):
            raise MaybeQueued
        raise kind.missing()
    if erased:
        logger.info(Event.ERASED, kind=kind.name, key=key)
    return erased


def _erase_stored(kind: RecordType, key: Key, expected: Versions | None) -> bool | None:
    """Whether this erased the row; None if it is not stored. Raises Stale."""
    rows = kind.rows(key)
    wanted = rows if expected is None else rows.filter(expected.condition())
    erased = _blank(kind, wanted)
    if not erased and not wanted.exists():
        if expected is not None and rows.exists():
            raise Stale
        return None
    letters_of_row(kind, key).delete()
    _announce(kind, erased)
    return bool(erased)


def erase_stored(kind: RecordType, keys: Sequence[Key]) -> int:
    """Erase the stored rows of these keys in one transaction; how many were not erased before."""

    def work() -> int:
        wanted = with_keys(kind.key_fields, keys)
        erased = _blank(kind, kind.model._default_manager.filter(wanted))
        for key in keys:
            letters_of_row(kind, key).delete()
        _announce(kind, erased)
        return len(erased)

    erased = in_transaction(work)
    logger.info(Event.ERASED, kind=kind.name, key=keys[0], rows=erased)
    return erased


def _blank(kind: RecordType, rows: "QuerySet[Any]") -> Mapping[Key, int]:
    """Erase those of the rows that are not; their versions afterwards, by key."""
    # A rival may erase some of them, so they are locked before their versions are read.
    locked = rows.filter(erased_at=None).select_for_update().order_by(*kind.key_fields)
    versions: dict[Key, int] = {
        tuple(key): version + 1 for *key, version in locked.values_list(*kind.key_fields, "version")
    }
    if versions:
        now = timezone.now()
        kind.model._default_manager.filter(with_keys(kind.key_fields, versions)).update(
            **dict(zip(kind.field_names, kind.blank_values, strict=True)),
            erased_at=now,
            updated_at=now,
            version=F("version") + 1,
        )
    return versions


def _announce(kind: RecordType, erased: Mapping[Key, int]) -> None:
    if erased:
        announce(RowChange(kind.name, Action.ERASED, list(erased), erased))


def _store_dead_letter(kind: RecordType, key: Key) -> bool:
    """Store the row of a dead letter without its values, if there is one."""
    rows = [
        row for letter in letters_of_row(kind, key) if (row := _row_in(letter, key)) is not None
    ]
    for row in rows[:1]:
        blank = replace(row, values=kind.blank_values, encoded=b"")
        store_rows([blank])
        finish_unqueued([blank])
    return bool(rows)


def _row_in(letter: DeadLetter, key: Key) -> NumberedRow | None:
    try:
        return next((row for row in rows_in(letter) if row.key == key), None)
    except UnknownFormat:
        return None


def letters_of_row(kind: RecordType, key: Key) -> "QuerySet[DeadLetter]":
    """The dead letters of this row's number."""
    *parent, number = key
    return DeadLetter.objects.filter(
        letters_of(key[0]), kind=kind.name, parent=parent_name(parent), number=number
    )
