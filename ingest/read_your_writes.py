"""Rows that are accepted and not stored yet.

An installation without Redis has none, and is not asked for any.

Reading and editing rows of which some are accepted and not stored yet.

What is stored costs nothing more than its query. A row that is not there is looked for among the
pending ones, and once more in the table, since it may have moved there in between.
"""

from functools import partial
from typing import Any, TypeVar, cast

from django.db.models import Model, QuerySet

from infra.database import in_transaction
from infra.errors import Unavailable
from infra.redis_client import RedisUnavailable, redis_is_configured
from infra.versions import Versions, update_if_version
from ingest.idempotent_insert import store_rows
from ingest.late_rows import is_purged
from ingest.numbering.authority import read_authority
from ingest.numbering.fencing import is_verified
from ingest.numbering.leases import ceiling_of
from ingest.numbering.models import Source
from ingest.pending import find_pending
from ingest.post_commit import finish_unqueued
from ingest.records import Key, record_type_of_parent


class MaybeQueued(Unavailable):
    """It may have been accepted and wait in the queue, where it cannot be seen."""

    def __init__(self) -> None:
        super().__init__("It may wait in a queue, which cannot be seen just now.")


def may_be_queued(key: Key) -> bool:
    """Whether a row that was found nowhere may still wait in a queue: `key` ends in its number.

    Its number must have been given and not be purged, and not all that waits be seen. Raises
    OperationalError.
    """
    return redis_is_configured() and _is_expected(key) and not pending_is_complete()


def pending_is_complete() -> bool:
    """Whether Redis' pending rows are the whole truth about what is accepted and not stored.

    They are not while Redis is away, gives no numbers, has lost data while rows were queued that
    still may be, or was restarted or emptied and nobody knows yet what it has lost. An installation
    without Redis has none. Raises OperationalError.
    """
    if not redis_is_configured():
        return True
    authority = read_authority()
    if authority.source == Source.DATABASE or not authority.is_drained:
        return False
    try:
        return is_verified(authority.term)
    except RedisUnavailable:
        return False


def _is_expected(key: Key) -> bool:
    return _may_have_been_given(key) and not is_purged(key)


def _may_have_been_given(key: Key) -> bool:
    *parent, number = key
    if not parent:
        return False  # an application is stored before anybody knows of it
    ceiling = ceiling_of(tuple(parent))
    if ceiling is None:
        return _may_have_been_given(tuple(parent))
    return int(number) <= ceiling


def store_if_pending(key: Key) -> bool:
    """Store this row now if it is pending; whether it was. `key` ends in its number.

    Raises OperationalError.
    """
    row = find_pending(key) if redis_is_configured() else None
    if row is None:
        return False
    store_rows([row])
    finish_unqueued([row])
    return True


Row = TypeVar("Row", bound=Model)


def find_pending_or_stored(rows: "QuerySet[Row]", key: Key) -> Row | None:
    """The one row of this key, which was not stored a moment ago. Raises Waits."""
    if not redis_is_configured():
        return None
    pending = find_pending(key)
    if pending is not None:
        return cast("Row", pending.instance())
    row = rows.first()
    if row is None and may_be_queued(key):
        raise MaybeQueued
    return row


def update(rows: "QuerySet[Row]", key: Key, expected: Versions | None, **values: Any) -> Row | None:
    """The one row of this key with new values; None where there is no such row.

    Raises Stale when it has none of the `expected` versions; Waits.

    A pending row is stored first. The insert that is still queued is dropped when it comes, as that
    of a row which is stored already, so the edit stays.
    """
    change = partial(in_transaction, partial(_update_row, rows, key, expected, values))
    row = change()
    if row is None and redis_is_configured():
        store_if_pending(key)
        row = change()
        if row is None and may_be_queued(key):
            raise MaybeQueued
    return row


def _update_row(
    rows: "QuerySet[Row]", key: Key, expected: Versions | None, values: dict[str, Any]
) -> Row | None:
    if not update_if_version(rows, expected, **values):
        return None
    for subscriber in record_type_of_parent(key[:-1]).subscribers:
        subscriber([key])
    return rows.get()
