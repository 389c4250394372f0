"""What Redis holds, as an audit reads it: nothing is changed. Everything here raises NoRedis."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

from infra.redis_client import ask_redis
from ingest import redis_keys

PAGE = 5000
_SCANNED = 1000


@dataclass(frozen=True, slots=True)
class LentBlock:
    """A parent's block: `next` is given next, `last` is the last that may be. Zeros: none."""

    epoch: int
    next: int
    last: int


@dataclass(frozen=True, slots=True)
class Numbered:
    """The highest pending number of a parent, 0 without any; and, read after it, its block."""

    highest_pending: int
    block: LentBlock


def numbered(parents: Sequence[str]) -> list[Numbered]:
    """What is known of the numbers of each of these parents, by name; one round trip."""

    def read(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        for parent in parents:
            pipeline.zrange(redis_keys.pending(parent), -1, -1, withscores=True)
            pipeline.hmget(redis_keys.block(parent), "epoch", "next", "last")
        return pipeline.execute()

    answers = ask_redis(read)
    return [
        Numbered(int(top[0][1]) if top else 0, LentBlock(*(int(value or 0) for value in block)))
        for top, block in zip(answers[::2], answers[1::2], strict=True)
    ]


def pending_numbers(parent: str, of: range) -> Iterator[int]:
    """Which of these numbers pend, in their order, page by page."""
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
    """The names of all of them, whether the sweeper knows of them or not; some perhaps twice."""
    cursor = 0
    while True:
        page = methodcaller("scan", cursor, match=redis_keys.EVERY_PENDING, count=_SCANNED)
        cursor, names = ask_redis(page)
        for name in names:
            yield redis_keys.parent_of_key(name.decode())
        if not cursor:
            return


def is_unknown_to_sweeper(parent: str) -> bool:
    """Whether the parent has pending rows and is missing in the index of those that have."""

    def read(server: Any) -> Any:
        pipeline = server.pipeline(transaction=True)
        pipeline.exists(redis_keys.pending(parent))
        pipeline.zscore(redis_keys.PENDING_PARENTS, parent)
        return pipeline.execute()

    has_rows, score = ask_redis(read)
    return bool(has_rows) and score is None


def is_flagged(kind: str, parent: str) -> bool:
    """Whether the count job will be told of this parent of such rows."""

    def read(server: Any) -> Any:
        # In the order in which a flag moves.
        pipeline = server.pipeline(transaction=False)
        pipeline.sismember(redis_keys.dirty(kind), parent)
        pipeline.sismember(redis_keys.dirty_taken(kind), parent)
        return pipeline.execute()

    return any(ask_redis(read))


def fence_and_epoch() -> tuple[int, int]:
    """The counter of all groups, and the last epoch in which this server gave numbers."""
    fence, epoch = ask_redis(lambda server: server.mget((redis_keys.FENCE, redis_keys.EPOCH)))
    return int(fence or 0), int(epoch or 0)
