"""Reading rows that may be pending: accepted and not stored yet.

Redis has a sorted set of the pending rows of each parent, by number. A missing row is looked up
there, and then in the table again, because it may have moved in between.

Requests on the event loop read together: those that wait at the same time share one round trip to
Redis.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from infra.database import wait_in_thread
from infra.errors import Unavailable
from infra.event_loop import Batcher, is_in_greenlet
from infra.logs import Event, get_logger
from infra.redis_client import (
    RedisUnavailable,
    Shard,
    ask_redis,
    redis_is_configured,
    shard_of,
)
from ingest import redis_keys
from ingest.late_rows import is_purged
from ingest.message_format import Undecodable, read_member
from ingest.models import Source
from ingest.numbering.authority import read_authority
from ingest.numbering.fencing import is_verified
from ingest.numbering.leases import ceiling_of
from ingest.records import Key, NumberedRow, RecordType, record_type_of_parent
from ingest.stored_rows import Window, stored_rows

logger = get_logger(__name__)


class MaybeQueued(Unavailable):
    """The row may be accepted and wait in a queue, where it cannot be seen."""

    detail = "It may be in a queue that cannot be read just now."


# --- Pending rows ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PendingRows:
    """Pending rows of a window, and whether the parent has no pending rows at all."""

    rows: Sequence[NumberedRow]
    nothing_pends: bool


def find_pending(key: Key) -> NumberedRow | None:
    """The row if Redis shows it as pending; `key` ends in its number. Never raises."""
    *parent, number = key
    found = pending_rows(tuple(parent), Window.of_one(int(number))).rows
    return next(iter(found), None)


def pending_rows(parent: Key, window: Window) -> PendingRows:
    """The first pending rows in this window; none without Redis."""
    if is_in_greenlet():
        return _pending.call((parent, window), weight=window.limit)
    [found] = _look([(parent, window)])
    return found


def _look(questions: Sequence[tuple[Key, Window]]) -> Sequence[PendingRows]:
    """The pending rows of these parents and windows, by one look into Redis for each shard."""
    by_shard: defaultdict[Shard, list[int]] = defaultdict(list)
    for place, (parent, _) in enumerate(questions):
        by_shard[shard_of(str(parent[0]))].append(place)
    found: dict[int, PendingRows] = {}
    for shard, places in by_shard.items():
        some = [questions[place] for place in places]
        found |= zip(places, _look_into(shard, some), strict=True)
    return [found[place] for place in range(len(questions))]


def _look_into(shard: Shard, questions: Sequence[tuple[Key, Window]]) -> Sequence[PendingRows]:

    def see(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        for parent, window in questions:
            name = redis_keys.pending(redis_keys.parent_name(parent))
            low = "-inf" if window.after is None else f"({window.after}"
            high = "+inf" if window.before is None else f"({window.before}"
            if window.descending:
                pipeline.zrevrangebyscore(name, high, low, start=0, num=window.limit)
            else:
                pipeline.zrangebyscore(name, low, high, start=0, num=window.limit)
            pipeline.zcard(name)
        return pipeline.execute()

    try:
        seen = ask_redis(shard, see)
    except RedisUnavailable:
        return [PendingRows([], nothing_pends=True)] * len(questions)
    return [
        PendingRows(_readable_members(parent, members), nothing_pends=count == 0)
        for (parent, _), members, count in zip(questions, seen[::2], seen[1::2], strict=True)
    ]


_pending: Batcher[tuple[Key, Window], PendingRows] = Batcher("pending-rows", _look)


def _readable_members(parent: Key, members: Sequence[bytes]) -> list[NumberedRow]:
    rows = []
    for member in members:
        try:
            rows.append(read_member(parent, member).row)
        except Undecodable as error:
            # The sweeper makes it a dead letter.
            logger.warning(Event.PENDING_UNREADABLE, parent=parent, error=error)
    return rows


# --- Rows that may be pending or stored -----------------------------------------------------


def may_be_queued(key: Key) -> bool:
    """Whether a row that was found nowhere may still be in a queue; `key` ends in its number.

    This is so if its number was given and not purged, and the pending rows may be incomplete.
    Raises OperationalError.
    """
    return (
        redis_is_configured()
        and _may_have_been_given(key)
        and not is_purged(key)
        and not pending_is_complete(shard_of(str(key[0])))
    )


def pending_is_complete(shard: Shard) -> bool:
    """Whether Redis shows all accepted rows of the shard that are not stored.

    Raises OperationalError.

    It does not while it is unavailable or gives no numbers, while rows from before a loss of data
    may still be queued, or after a restart until the server is verified.
    """
    if not redis_is_configured():
        return True
    authority = read_authority(shard)
    if authority.source == Source.DATABASE or not authority.is_drained:
        return False
    try:
        return is_verified(shard, authority.generation)
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


def get(kind: RecordType, key: Key) -> Any:
    """The row of this key as it is shown. Raises the type's `missing`, or MaybeQueued."""
    row = _stored_row(key) or _pending_or_stored_row(kind, key)
    if row is None:
        raise kind.missing()
    return row


def require_parent(kind: RecordType, parent: Key) -> None:
    """Check that the parent exists. Raises the type's `parent_missing`, or MaybeQueued."""
    # A parent without a number, which is an application, is never pending.
    if len(parent) == 1:
        exists = wait_in_thread(kind.parent_row(parent).exists)
    else:
        parents = record_type_of_parent(parent[:-1])
        exists = bool(_stored_row(parent) or _pending_or_stored_row(parents, parent))
    if not exists:
        raise kind.parent_missing()


def _stored_row(key: Key) -> Any:
    """The stored row of this key as it is shown; None if there is none."""
    *parent, number = key
    return next(iter(stored_rows(tuple(parent), Window.of_one(int(number)))), None)


def _pending_or_stored_row(kind: RecordType, key: Key) -> Any:
    """The row of this key, which was not in its table a moment ago. Raises MaybeQueued."""
    if not redis_is_configured():
        return None
    pending = find_pending(key)
    if pending is not None:
        return kind.show_new(pending)
    row = _stored_row(key)
    if row is None and wait_in_thread(partial(may_be_queued, key)):
        raise MaybeQueued
    return row
