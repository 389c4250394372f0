"""The state of numbering, flags and pending rows in Redis, read only.

Everything here raises RedisUnavailable, except where the docstring says otherwise.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

from infra.redis_client import (
    RedisUnavailable,
    Shard,
    ask_redis,
    redis_is_configured,
    scan_pages,
    shards,
)
from ingest import redis_keys
from ingest.models import NumberAuthority, Source
from ingest.numbering.fencing import is_verified

PAGE = 5000


@dataclass(frozen=True, slots=True)
class RedisNumbers:
    """The highest pending number of a parent (0: none pends), and its block, read afterwards.

    Of the block: `next` is the next number, `last` the last one. All 0: there is no block.
    """

    highest_pending: int = 0
    epoch: int = 0
    next: int = 0
    last: int = 0


def existing_authorities() -> Mapping[Shard, NumberAuthority]:
    """The authorities in the database; none before the first number. Does not ask Redis."""
    found = {row.pk: row for row in NumberAuthority.objects.all()}
    return {shard: found[shard.number + 1] for shard in shards() if shard.number + 1 in found}


def epochs_of_blocks(parents: Iterable[str]) -> Mapping[Shard, int | None]:
    """The epoch whose blocks in Redis are valid, by the shards of these parents.

    None: no block is, or Redis does not answer.
    """
    of = {redis_keys.shard_of_parent(parent) for parent in parents}
    authorities = existing_authorities()
    return {shard: _epoch_of_blocks(shard, authorities.get(shard)) for shard in of}


def _epoch_of_blocks(shard: Shard, authority: NumberAuthority | None) -> int | None:
    if not redis_is_configured() or authority is None or authority.source != Source.REDIS:
        return None
    try:
        return authority.epoch if is_verified(shard, authority.generation) else None
    except RedisUnavailable:
        return None


def shows_all_queued() -> bool:
    """Whether every queued row is pending in Redis too, in each shard."""
    authorities = existing_authorities()
    return all(
        authority.is_drained and _epoch_of_blocks(shard, authority) is not None
        for shard, authority in authorities.items()
    )


def read_numbers(parents: Sequence[str]) -> list[RedisNumbers]:
    """The numbers of each of these parents (by name), in one round trip for each shard."""
    by_shard: defaultdict[Shard, list[str]] = defaultdict(list)
    for parent in parents:
        by_shard[redis_keys.shard_of_parent(parent)].append(parent)
    found: dict[str, RedisNumbers] = {}
    for shard, of_shard in by_shard.items():
        found |= zip(of_shard, _read_numbers(shard, of_shard), strict=True)
    return [found[parent] for parent in parents]


def _read_numbers(shard: Shard, parents: Sequence[str]) -> list[RedisNumbers]:

    def read(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        for parent in parents:
            pipeline.zrange(redis_keys.pending(parent), -1, -1, withscores=True)
            pipeline.hmget(redis_keys.block(parent), "epoch", "next", "last")
        return pipeline.execute()

    answers = ask_redis(shard, read)
    return [
        RedisNumbers(int(top[0][1]) if top else 0, *(int(value or 0) for value in block))
        for top, block in zip(answers[::2], answers[1::2], strict=True)
    ]


def read_numbers_if_available(parents: Sequence[str]) -> list[RedisNumbers]:
    """Like `read_numbers`; zeros for every parent if Redis does not answer."""
    try:
        return read_numbers(parents)
    except RedisUnavailable:
        return [RedisNumbers()] * len(parents)


def pending_numbers(parent: str, of: range) -> Iterator[int]:
    """The numbers in this range that are pending, in ascending order, read page by page."""
    name, first = redis_keys.pending(parent), of.start
    while True:
        page = methodcaller(
            "zrangebyscore", name, first, of.stop - 1, start=0, num=PAGE, withscores=True
        )
        members = ask_redis(redis_keys.shard_of_parent(parent), page)
        yield from (int(number) for _, number in members)
        if len(members) < PAGE:
            return
        first = int(members[-1][1]) + 1


def parents_with_pending_rows() -> Iterator[str]:
    """Their names, found by SCAN: also those missing in the sweeper's index; some twice."""
    for _, names in scan_pages(redis_keys.EVERY_PENDING):
        yield from (redis_keys.parent_of_key(name.decode()) for name in names)


def is_unknown_to_sweeper(parent: str) -> bool:
    """Whether the parent has pending rows but is missing in the sweeper's index of parents."""
    shard = redis_keys.shard_of_parent(parent)

    def read(server: Any) -> Any:
        pipeline = server.pipeline(transaction=True)
        pipeline.exists(redis_keys.pending(parent))
        pipeline.zscore(redis_keys.pending_parents(shard), parent)
        return pipeline.execute()

    has_rows, score = ask_redis(shard, read)
    return bool(has_rows) and score is None


def is_flagged(kind: str, parent: str) -> bool:
    """Whether the parent has a dirty flag for the count job."""
    shard = redis_keys.shard_of_parent(parent)

    def read(server: Any) -> Any:
        # In the order in which a flag moves, so that a moving one is seen at least once.
        pipeline = server.pipeline(transaction=False)
        pipeline.sismember(redis_keys.dirty(shard, kind), parent)
        pipeline.sismember(redis_keys.dirty_taken(shard, kind), parent)
        return pipeline.execute()

    return any(ask_redis(shard, read))


def fence_and_epoch(shard: Shard) -> tuple[int, int]:
    """The fence (counter of all groups) and the last epoch in which the server gave numbers."""
    names = redis_keys.fence(shard), redis_keys.epoch(shard)
    fence, epoch = ask_redis(shard, lambda server: server.mget(names))
    return int(fence or 0), int(epoch or 0)
