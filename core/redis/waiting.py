"""How much is pending, for operators. Raises NoRedis."""

from dataclasses import dataclass
from typing import Any

from core.redis import keys
from core.redis.guard import ask
from core.redis.overdue import parents_with_rows, redis_time

#: So many parents are looked into, those that wait longest.
LOOKED_INTO = 1000


@dataclass(frozen=True, slots=True)
class Pending:
    """Parents that have pending rows; rows of the first of them; since when the oldest waits."""

    parents: int
    rows: int
    age_seconds: float


def pending_rows() -> Pending:
    """What pends now, in three round trips."""
    now = redis_time()
    names = parents_with_rows(now, skip=0, count=LOOKED_INTO)

    def read(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        pipeline.zcard(keys.PENDING_PARENTS)
        for name in names:
            pipeline.zcard(keys.pending(name))
            pipeline.zrange(keys.pending(name), 0, 0)
        return pipeline.execute()

    parents, *answers = ask(read)
    # The index may name parents that have none left, and an age that was another row's.
    oldest = min((_accepted(member, now) for [member] in filter(None, answers[1::2])), default=now)
    return Pending(parents, sum(answers[::2]), max(now - oldest, 0) / 1000)


def _accepted(member: bytes, now: int) -> int:
    """When it was accepted, in ms; one that cannot be read is the sweeper's business."""
    try:
        return int(member.split(b" ", 2)[1])
    except (IndexError, ValueError):
        return now
