"""The state of numbering, flags and pending rows in Redis, read only.

Everything here raises RedisUnavailable, except where the docstring says otherwise.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

from infra.redis_client import RedisUnavailable, ask_redis, redis_is_configured, scan_pages
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


def existing_authority() -> NumberAuthority | None:
    """The authority in the database; None before the first number. Does not ask Redis."""
    return NumberAuthority.objects.first()


def epoch_of_blocks() -> int | None:
    """The epoch whose blocks in Redis are valid; None: none is, or Redis does not answer."""
    authority = existing_authority()
    if not redis_is_configured() or authority is None or authority.source != Source.REDIS:
        return None
    try:
        return authority.epoch if is_verified(authority.generation) else None
    except RedisUnavailable:
        return None


def read_numbers(parents: Sequence[str]) -> list[RedisNumbers]:
    """The numbers of each of these parents (by name), in one round trip."""

    def read(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        for parent in parents:
            pipeline.zrange(redis_keys.pending(parent), -1, -1, withscores=True)
            pipeline.hmget(redis_keys.block(parent), "epoch", "next", "last")
        return pipeline.execute()

    answers = ask_redis(read)
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
        members = ask_redis(page)
        yield from (int(number) for _, number in members)
        if len(members) < PAGE:
            return
        first = int(members[-1][1]) + 1


def parents_with_pending_rows() -> Iterator[str]:
    """Their names, found by SCAN: also those missing in the sweeper's index; some twice."""
    for names in scan_pages(redis_keys.EVERY_PENDING):
        yield from (redis_keys.parent_of_key(name.decode()) for name in names)


def is_unknown_to_sweeper(parent: str) -> bool:
    """Whether the parent has pending rows but is missing in the sweeper's index of parents."""

    def read(server: Any) -> Any:
        pipeline = server.pipeline(transaction=True)
        pipeline.exists(redis_keys.pending(parent))
        pipeline.zscore(redis_keys.PENDING_PARENTS, parent)
        return pipeline.execute()

    has_rows, score = ask_redis(read)
    return bool(has_rows) and score is None


def is_flagged(kind: str, parent: str) -> bool:
    """Whether the parent has a dirty flag for the count job."""

    def read(server: Any) -> Any:
        # In the order in which a flag moves, so that a moving one is seen at least once.
        pipeline = server.pipeline(transaction=False)
        pipeline.sismember(redis_keys.dirty(kind), parent)
        pipeline.sismember(redis_keys.dirty_taken(kind), parent)
        return pipeline.execute()

    return any(ask_redis(read))


def fence_and_epoch() -> tuple[int, int]:
    """The fence (counter of all groups) and the last epoch in which this server gave numbers."""
    fence, epoch = ask_redis(lambda server: server.mget((redis_keys.FENCE, redis_keys.EPOCH)))
    return int(fence or 0), int(epoch or 0)
