"""Pending rows as the sweeper reads them: the parents that have old ones, and the rows by pages.

Times are ms since 1970 by Redis's clock. Everything here raises NoRedis.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.redis import keys
from core.redis.guard import ask

_TIDY = (Path(__file__).parent / "tidy.lua").read_text()

#: A pending row as it is in Redis, and its number.
Member = tuple[bytes, float]


def redis_time() -> int:
    """Now."""
    seconds, microseconds = ask(lambda server: server.time())
    return int(seconds * 1000 + microseconds // 1000)


def progress_of(kinds: Iterable[str]) -> dict[str, int]:
    """When the rows were accepted that the workers are storing now; without kinds that rest."""
    kinds = list(kinds)
    found = ask(lambda server: server.mget([keys.progress(kind) for kind in kinds]))
    return {kind: int(ms) for kind, ms in zip(kinds, found, strict=True) if ms is not None}


def parents_with_rows(accepted_by: int, skip: int, count: int) -> list[str]:
    """Parents that may have rows accepted by then, those with the oldest first."""
    names = ask(
        lambda server: server.zrangebyscore(
            keys.PENDING_PARENTS, "-inf", accepted_by, start=skip, num=count
        )
    )
    return [name.decode() for name in names]


def first_members(parents: Sequence[str], count: int) -> Mapping[str, Sequence[Member]]:
    """The first pending rows of each of these parents, at most so many of each."""

    def read(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        for parent in parents:
            pipeline.zrange(keys.pending(parent), 0, count - 1, withscores=True)
        return pipeline.execute()

    return dict(zip(parents, ask(read), strict=True))


def next_members(parent: str, above: float, count: int) -> Sequence[Member]:
    """The pending rows of this parent whose numbers follow."""
    found: Sequence[Member] = ask(
        lambda server: server.zrangebyscore(
            keys.pending(parent), f"({above:.0f}", "+inf", start=0, num=count, withscores=True
        )
    )
    return found


def remove_member(parent: str, member: bytes) -> None:
    """Take this one out, whatever it is; the index is put right by `tidy`."""
    ask(lambda server: server.zrem(keys.pending(parent), member))


def tidy(parents: Sequence[str], accepted_by: int) -> int:
    """Make the index true for these parents; how many still have rows accepted by then."""
    names = [keys.PENDING_PARENTS, *map(keys.pending, parents)]
    return int(ask(lambda server: server.eval(_TIDY, len(names), *names, accepted_by, *parents)))
