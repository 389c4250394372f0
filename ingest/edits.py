"""Edits of rows. A pending row is stored first, so that the edit has a row to change.

The insert that is still queued is then dropped as a duplicate, so the edit stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import DatabaseError
from django.db.models import Model

from infra.database import ShardFailed, in_transaction, renew_connection, wait_in_thread
from infra.errors import Conflict, DomainError
from infra.event_loop import Batcher, BatchLimits, is_in_greenlet
from infra.natural_keys import by_pk
from infra.redis_client import redis_is_configured
from infra.service_errors import blames_row
from infra.versions import Versions, update_if_version
from ingest.idempotent_insert import store_rows
from ingest.models import StoredRecord
from ingest.post_commit import finish_unqueued
from ingest.read_your_writes import MaybeQueued, find_pending, may_be_queued
from ingest.records import Key, RecordType
from ingest.row_changes import Action, RowChange, announce


class Erased(Conflict):
    """The row was erased, so it has no values to change."""

    detail = "It was erased, so it cannot be edited."


def store_if_pending(key: Key) -> bool:
    """Store the row now if it is pending; whether it was. Raises OperationalError."""
    row = find_pending(key) if redis_is_configured() else None
    if row is None:
        return False
    store_rows([row])
    finish_unqueued([row])
    return True


@dataclass(frozen=True, slots=True)
class Edit:
    """New values of a row's fields, for one of the `expected` versions; None means any."""

    kind: RecordType
    key: Key
    expected: Versions | None
    values: Mapping[str, Any]


def update(kind: RecordType, key: Key, expected: Versions | None = None, **values: Any) -> Any:
    """The row of this key with new values of its fields.

    Raises the type's `missing`, Stale if the row has none of the `expected` versions, Erased,
    MaybeQueued. Edits that wait on the event loop at the same time share a transaction.
    """
    edit = Edit(kind, key, expected, values)
    row = _edits.call(edit) if is_in_greenlet() else _edit_alone(edit)
    if row is None and redis_is_configured():
        row = wait_in_thread(partial(_store_and_edit, edit))
    if row is None:
        raise kind.missing()
    return row


def _store_and_edit(edit: Edit) -> Model | None:
    """Store the row first, in case it is pending. Raises MaybeQueued, and what `update` raises."""
    store_if_pending(edit.key)
    row = _edit_alone(edit)
    if row is None and may_be_queued(edit.key):
        raise MaybeQueued
    return row


def _edit_alone(edit: Edit) -> Model | None:
    [outcome] = edit_together([edit])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def edit_together(edits: Sequence[Edit]) -> list[Model | Exception | None]:
    """The changed rows, None for those that are not stored, or errors, in one transaction."""
    try:
        return in_transaction(partial(_edit_in_order, edits), is_stored=_are_stored)
    except DatabaseError as error:
        if len(edits) > 1 and (blames_row(error) or isinstance(error, ShardFailed)):
            return [one for edit in edits for one in edit_together([edit])]
        return [error] * len(edits)


def _are_stored(outcomes: Sequence[Model | Exception | None]) -> bool:
    """Whether all changed rows are stored as they are here: a shard may have got no commit."""
    return all(
        type(row)
        ._default_manager.filter(by_pk([row]))
        .filter(version=row.version, updated_at=row.updated_at)
        .exists()
        for row in outcomes
        if isinstance(row, StoredRecord)
    )


def _edit_in_order(edits: Sequence[Edit]) -> list[Model | Exception | None]:
    """Rows are locked in the order of their keys, so that groups do not wait for each other."""
    outcomes: list[Model | Exception | None] = [None] * len(edits)
    changes = []
    for place in sorted(range(len(edits)), key=lambda place: edits[place].key):
        edit = edits[place]
        try:
            row = outcomes[place] = _edit_row(edit)
        except DomainError as refused:  # Stale or Erased: nothing was changed
            outcomes[place] = refused
            continue
        if row is not None:
            versions = {edit.key: row.version}
            changes.append(RowChange(edit.kind.name, Action.UPDATED, [edit.key], versions))
    if changes:
        announce(*changes)
    return outcomes


def _edit_row(edit: Edit) -> Any:
    rows = edit.kind.rows(edit.key)
    editable = rows.filter(erased_at=None) if edit.kind.is_erasable else rows
    if not update_if_version(editable, edit.expected, **edit.values):
        if edit.kind.is_erasable and rows.exclude(erased_at=None).exists():
            raise Erased
        return None
    return rows.get()


def _edit_in_thread(edits: Sequence[Edit]) -> list[Model | Exception | None]:
    renew_connection()
    return edit_together(edits)


#: A transaction holds its locks for at most this number of edits.
_MOST_EDITS = 100
_edits: Batcher[Edit, Model | None] = Batcher(
    "edits", _edit_in_thread, BatchLimits(batch=_MOST_EDITS)
)
