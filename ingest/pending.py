"""Rows that are accepted and not stored yet: one sorted set for each parent, by number.

A member says its number, when it was accepted (ms, by Redis's clock) and the row's payload. Rows
are added where they are numbered (operations/numbering/blocks.lua), so nothing here adds any.

Pending rows as the sweeper reads them: the parents that have old ones, and the rows by pages.

Times are ms since 1970 by Redis's clock. Everything here raises NoRedis.

How much is pending, for operators. Raises NoRedis.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from infra.logs import Event, get_logger
from infra.redis_client import RedisUnavailable, ask_redis
from ingest import redis_keys
from ingest.records import Key, NumberedRow, from_payload, record_type_of_parent

logger = get_logger(__name__)


class Undecodable(ValueError):
    """A member that this version cannot read."""


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A row, and when it was accepted: ms since 1970 by Redis's clock."""

    row: NumberedRow
    accepted_ms: int


@dataclass(frozen=True, slots=True)
class PendingRange:
    """What was asked for, and whether nothing at all pends for this parent."""

    rows: Sequence[NumberedRow]
    nothing_pends: bool


def find_pending(key: Key) -> NumberedRow | None:
    """The row, if it is pending as far as can be seen; `key` ends in its number."""
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
    """The first `limit` pending rows between these numbers, both exclusive; one round trip.

    Nothing, while Redis is away.
    """
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


def read_member(parent: Key, member: bytes) -> PendingRow:
    """The row of a member. Raises Undecodable."""
    try:
        number, accepted_ms, payload = member.split(b" ", 2)
        row = from_payload(
            record_type_of_parent(parent), (*parent, int(number)), orjson.loads(payload)
        )
        # A payload may be JSON and still be no row.
        row.columns()
        return PendingRow(row, int(accepted_ms))
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise Undecodable(f"{type(error).__name__}: {error}") from error


def _readable_members(parent: Key, members: Sequence[bytes]) -> list[NumberedRow]:
    rows = []
    for member in members:
        try:
            rows.append(read_member(parent, member).row)
        except Undecodable as error:
            # The sweeper sets it aside.
            logger.warning(Event.PENDING_UNREADABLE, parent=parent, error=error)
    return rows


_TIDY = (Path(__file__).parent / "tidy_index.lua").read_text()

#: A pending row as it is in Redis, and its number.
ScoredMember = tuple[bytes, float]


def redis_time() -> int:
    """Now."""
    seconds, microseconds = ask_redis(lambda server: server.time())
    return int(seconds * 1000 + microseconds // 1000)


def writer_progress(kinds: Iterable[str]) -> dict[str, int]:
    """When the rows were accepted that the workers are storing now; without kinds that rest."""
    kinds = list(kinds)
    found = ask_redis(lambda server: server.mget([redis_keys.progress(kind) for kind in kinds]))
    return {kind: int(ms) for kind, ms in zip(kinds, found, strict=True) if ms is not None}


def parents_with_pending(accepted_by: int, skip: int, count: int) -> list[str]:
    """Parents that may have rows accepted by then, those with the oldest first."""
    names = ask_redis(
        lambda server: server.zrangebyscore(
            redis_keys.PENDING_PARENTS, "-inf", accepted_by, start=skip, num=count
        )
    )
    return [name.decode() for name in names]


def first_pending_of_each(
    parents: Sequence[str], count: int
) -> Mapping[str, Sequence[ScoredMember]]:
    """The first pending rows of each of these parents, at most so many of each."""

    def read(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        for parent in parents:
            pipeline.zrange(redis_keys.pending(parent), 0, count - 1, withscores=True)
        return pipeline.execute()

    return dict(zip(parents, ask_redis(read), strict=True))


def pending_after(parent: str, above: float, count: int) -> Sequence[ScoredMember]:
    """The pending rows of this parent whose numbers follow."""
    found: Sequence[ScoredMember] = ask_redis(
        lambda server: server.zrangebyscore(
            redis_keys.pending(parent), f"({above:.0f}", "+inf", start=0, num=count, withscores=True
        )
    )
    return found


def remove_member(parent: str, member: bytes) -> None:
    """Take this one out, whatever it is; the index is put right by `tidy`."""
    ask_redis(lambda server: server.zrem(redis_keys.pending(parent), member))


def tidy_index(parents: Sequence[str], accepted_by: int) -> int:
    """Make the index true for these parents; how many still have rows accepted by then."""
    names = [redis_keys.PENDING_PARENTS, *map(redis_keys.pending, parents)]
    return int(
        ask_redis(lambda server: server.eval(_TIDY, len(names), *names, accepted_by, *parents))
    )


#: So many parents are looked into, those that wait longest.
PARENTS_SAMPLED = 1000


@dataclass(frozen=True, slots=True)
class PendingStats:
    """Parents that have pending rows; rows of the first of them; since when the oldest waits."""

    parents: int
    rows: int
    age_seconds: float


def pending_stats() -> PendingStats:
    """What pends now, in three round trips."""
    now = redis_time()
    names = parents_with_pending(now, skip=0, count=PARENTS_SAMPLED)

    def read(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        pipeline.zcard(redis_keys.PENDING_PARENTS)
        for name in names:
            pipeline.zcard(redis_keys.pending(name))
            pipeline.zrange(redis_keys.pending(name), 0, 0)
        return pipeline.execute()

    parents, *answers = ask_redis(read)
    # The index may name parents that have none left, and an age that was another row's.
    oldest = min(
        (_accepted_ms(member, now) for [member] in filter(None, answers[1::2])), default=now
    )
    return PendingStats(parents, sum(answers[::2]), max(now - oldest, 0) / 1000)


def _accepted_ms(member: bytes, now: int) -> int:
    """When it was accepted, in ms; one that cannot be read is the sweeper's business."""
    try:
        return int(member.split(b" ", 2)[1])
    except (IndexError, ValueError):
        return now
