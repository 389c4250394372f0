"""Reading and updating rows that may be pending: accepted and not stored yet.

Redis has a sorted set of the pending rows of each parent, by number. A missing row is looked up
there, and then in the table again, because it may have moved in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

from django.db.models import Model, QuerySet

from infra.database import in_transaction
from infra.errors import Conflict, Unavailable
from infra.logs import Event, get_logger
from infra.redis_client import RedisUnavailable, ask_redis, redis_is_configured
from infra.versions import Versions, update_if_version
from ingest import redis_keys
from ingest.idempotent_insert import store_rows
from ingest.late_rows import is_purged
from ingest.message_format import Undecodable, read_member
from ingest.models import Source
from ingest.numbering.authority import read_authority
from ingest.numbering.fencing import is_verified
from ingest.numbering.leases import ceiling_of
from ingest.post_commit import finish_unqueued
from ingest.records import Action, Key, NumberedRow, RecordType, RowChange, announce

logger = get_logger(__name__)


class MaybeQueued(Unavailable):
    """The row may be accepted and wait in a queue, where it cannot be seen."""

    detail = "It may be in a queue that cannot be read just now."


class Erased(Conflict):
    """The row was erased, so it has no values to change."""

    detail = "It was erased, so it cannot be edited."


@dataclass(frozen=True, slots=True)
class PendingRange:
    """Pending rows of a range, and whether the parent has no pending rows at all."""

    rows: Sequence[NumberedRow]
    nothing_pends: bool


def find_pending(key: Key) -> NumberedRow | None:
    """The row if Redis shows it as pending; `key` ends in its number. Never raises."""
    *parent, number = key
    name = redis_keys.pending(redis_keys.parent_name(parent))
    try:
        members = ask_redis(lambda server: server.zrangebyscore(name, number, number))
    except RedisUnavailable:
        return None
    return next(iter(_readable_members(tuple(parent), members)), None)


def pending_in_range(
    parent: Key, *, after: int | None, before: int | None, limit: int, descending: bool
) -> PendingRange:
    """The first `limit` pending rows between these numbers, both exclusive; none without Redis."""
    name = redis_keys.pending(redis_keys.parent_name(parent))
    low = "-inf" if after is None else f"({after}"
    high = "+inf" if before is None else f"({before}"

    def see(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        if descending:
            pipeline.zrevrangebyscore(name, high, low, start=0, num=limit)
        else:
            pipeline.zrangebyscore(name, low, high, start=0, num=limit)
        return pipeline.zcard(name).execute()

    try:
        members, count = ask_redis(see)
    except RedisUnavailable:
        return PendingRange([], nothing_pends=True)
    return PendingRange(_readable_members(parent, members), nothing_pends=count == 0)


def _readable_members(parent: Key, members: Sequence[bytes]) -> list[NumberedRow]:
    rows = []
    for member in members:
        try:
            rows.append(read_member(parent, member).row)
        except Undecodable as error:
            # The sweeper makes it a dead letter.
            logger.warning(Event.PENDING_UNREADABLE, parent=parent, error=error)
    return rows


def may_be_queued(key: Key) -> bool:
    """Whether a row that was found nowhere may still be in a queue; `key` ends in its number.

    This is so if its number was given and not purged, and the pending rows may be incomplete.
    Raises OperationalError.
    """
    return (
        redis_is_configured()
        and _may_have_been_given(key)
        and not is_purged(key)
        and not pending_is_complete()
    )


def pending_is_complete() -> bool:
    """Whether Redis shows all rows that are accepted and not stored. Raises OperationalError.

    It does not while it is unavailable or gives no numbers, while rows from before a loss of data
    may still be queued, or after a restart until the server is verified.
    """
    if not redis_is_configured():
        return True
    authority = read_authority()
    if authority.source == Source.DATABASE or not authority.is_drained:
        return False
    try:
        return is_verified(authority.generation)
    except RedisUnavailable:
        return False


def _may_have_been_given(key: Key) -> bool:
    *parent, number = key
    if not parent:
        return False  # applications are stored before their token is known
    ceiling = ceiling_of(tuple(parent))
    if ceiling is None:
        return _may_have_been_given(tuple(parent))
    return int(number) <= ceiling


def store_if_pending(key: Key) -> bool:
    """Store the row now if it is pending; whether it was. Raises OperationalError."""
    row = find_pending(key) if redis_is_configured() else None
    if row is None:
        return False
    store_rows([row])
    finish_unqueued([row])
    return True


Row = TypeVar("Row", bound=Model)


def find_pending_or_stored(rows: "QuerySet[Row]", key: Key) -> Row | None:
    """The row of this key, which was not in its table a moment ago. Raises MaybeQueued."""
    if not redis_is_configured():
        return None
    pending = find_pending(key)
    if pending is not None:
        return cast("Row", pending.instance())
    row = rows.first()
    if row is None and may_be_queued(key):
        raise MaybeQueued
    return row


def get(kind: RecordType, key: Key) -> Any:
    """The row of this key, stored or pending. Raises the type's `missing`, or MaybeQueued."""
    rows = kind.rows(key)
    row = rows.first() or find_pending_or_stored(rows, key)
    if row is None:
        raise kind.missing()
    return row


def require_parent(kind: RecordType, parent: Key) -> None:
    """Check that the parent exists. Raises the type's `parent_missing`, or MaybeQueued."""
    rows = kind.parent_row(parent)
    if rows.exists():
        return
    # A parent without a number, which is an application, is never pending.
    if len(parent) == 1 or find_pending_or_stored(rows, parent) is None:
        raise kind.parent_missing()


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
