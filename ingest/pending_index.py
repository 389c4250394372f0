"""All pending rows: accepted and not stored yet, for the sweeper, the audit and the gauges.

Redis has a sorted set of them for each parent, and an index of the parents. Numbering adds the rows
(ingest/numbering/blocks.lua); nothing here does. ingest.read_your_writes reads those of a request.
Times are milliseconds since 1970 by Redis's clock. Functions raise RedisUnavailable.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.redis_client import Shard, ask_redis, shards
from ingest import redis_keys

_TIDY = (Path(__file__).parent / "tidy_index.lua").read_text()

#: A member of the sorted set, and its score: the number.
ScoredMember = tuple[bytes, float]


def redis_time(shard: Shard) -> int:
    """The time by the clock of the shard's server."""
    seconds, microseconds = ask_redis(shard, lambda server: server.time())
    return int(seconds * 1000 + microseconds // 1000)


def writer_progress(shard: Shard, kinds: Iterable[str]) -> dict[str, int]:
    """When the rows were accepted that the workers store now, by record type; idle ones lack."""
    kinds = list(kinds)
    names = [redis_keys.progress(shard, kind) for kind in kinds]
    found = ask_redis(shard, lambda server: server.mget(names))
    return {kind: int(ms) for kind, ms in zip(kinds, found, strict=True) if ms is not None}


def parents_with_pending(shard: Shard, accepted_by: int, skip: int, count: int) -> list[str]:
    """Parents that may have rows accepted by this time, oldest first."""
    names = ask_redis(
        shard,
        lambda server: server.zrangebyscore(
            redis_keys.pending_parents(shard), "-inf", accepted_by, start=skip, num=count
        ),
    )
    return [name.decode() for name in names]


def first_pending_of_each(
    shard: Shard, parents: Sequence[str], count: int
) -> Mapping[str, Sequence[ScoredMember]]:
    """The first `count` pending rows of each of these parents."""

    def read(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        for parent in parents:
            pipeline.zrange(redis_keys.pending(parent), 0, count - 1, withscores=True)
        return pipeline.execute()

    return dict(zip(parents, ask_redis(shard, read), strict=True))


def pending_after(parent: str, above: float, count: int) -> Sequence[ScoredMember]:
    """The next pending rows of this parent, above a number."""
    found: Sequence[ScoredMember] = ask_redis(
        redis_keys.shard_of_parent(parent),
        lambda server: server.zrangebyscore(
            redis_keys.pending(parent), f"({above:.0f}", "+inf", start=0, num=count, withscores=True
        ),
    )
    return found


def remove_member(parent: str, member: bytes) -> None:
    """Remove this member. `tidy_index` corrects the index later."""
    shard = redis_keys.shard_of_parent(parent)
    ask_redis(shard, lambda server: server.zrem(redis_keys.pending(parent), member))


def tidy_index(shard: Shard, parents: Sequence[str], accepted_by: int) -> int:
    """Correct the index for these parents; the number that still have rows accepted by then."""
    names = [redis_keys.pending_parents(shard), *map(redis_keys.pending, parents)]
    arguments = [len(names), *names, accepted_by, *parents]
    return int(ask_redis(shard, lambda server: server.eval(_TIDY, *arguments)))


#: Rows are counted for this many parents, those that have waited longest.
PARENTS_SAMPLED = 1000


@dataclass(frozen=True, slots=True)
class PendingStats:
    """Parents with pending rows, rows of the sampled ones, and the age of the oldest row."""

    parents: int
    rows: int
    age_seconds: float


def pending_stats() -> PendingStats:
    """The present state, in three round trips for each shard."""
    of_each = list(map(_stats_of, shards()))
    return PendingStats(
        sum(one.parents for one in of_each),
        sum(one.rows for one in of_each),
        max(one.age_seconds for one in of_each),
    )


def _stats_of(shard: Shard) -> PendingStats:
    now = redis_time(shard)
    names = parents_with_pending(shard, now, skip=0, count=PARENTS_SAMPLED)

    def read(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        pipeline.zcard(redis_keys.pending_parents(shard))
        for name in names:
            pipeline.zcard(redis_keys.pending(name))
            pipeline.zrange(redis_keys.pending(name), 0, 0)
        return pipeline.execute()

    parents, *answers = ask_redis(shard, read)
    # The index may name parents without rows, or the age of a row that is gone.
    oldest = min(
        (_accepted_ms(member, now) for [member] in filter(None, answers[1::2])), default=now
    )
    return PendingStats(parents, sum(answers[::2]), max(now - oldest, 0) / 1000)


def _accepted_ms(member: bytes, now: int) -> int:
    """The time of acceptance; `now` for a member that cannot be read, which the sweeper handles."""
    try:
        return int(member.split(b" ", 2)[1])
    except (IndexError, ValueError):
        return now
