"""Edits of rows. A pending row is stored first, so that the edit has a row to change.

The insert that is still queued is then dropped as a duplicate, so the edit stays.
"""

from functools import partial
from typing import Any

from django.db.models import Model

from infra.database import in_transaction
from infra.errors import Conflict
from infra.redis_client import redis_is_configured
from infra.versions import Versions, update_if_version
from ingest.idempotent_insert import store_rows
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


def update(kind: RecordType, key: Key, expected: Versions | None = None, **values: Any) -> Any:
    """The row of this key with new values of its fields.

    Raises the type's `missing`, Stale if the row has none of the `expected` versions, Erased,
    MaybeQueued.

    A pending row is stored first. The insert that is still queued is then dropped as a duplicate,
    so the update stays.
    """
    change = partial(in_transaction, partial(_update_row, kind, key, expected, values))
    row = change()
    if row is None and redis_is_configured():
        store_if_pending(key)
        row = change()
        if row is None and may_be_queued(key):
            raise MaybeQueued
    if row is None:
        raise kind.missing()
    return row


def _update_row(
    kind: RecordType, key: Key, expected: Versions | None, values: dict[str, Any]
) -> Model | None:
    rows = kind.rows(key)
    editable = rows.filter(erased_at=None) if kind.is_erasable else rows
    if not update_if_version(editable, expected, **values):
        if kind.is_erasable and rows.exclude(erased_at=None).exists():
            raise Erased
        return None
    row = rows.get()
    announce(RowChange(kind.name, Action.UPDATED, [key], {key: row.version}))
    changed: Model = row
    return changed
