"""Limits as one process counts them by itself: without a Redis, and while it is away.

What clients owe for their requests, by Redis's clock and for all processes together.

The arithmetic is that of api.rate_limits.gcra, which tells what the numbers mean.

The one question whether a request is within its client's limit; it is always answered.

Requests of a process that ask at the same time share one round trip to Redis, by which all
processes count together; of a fast client some more are counted with them in advance. Without
Redis, or while it is away or slow, each process counts alone and grants the whole limit: a client
may then send more, by as many times as there are processes.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import sha1
from pathlib import Path
from threading import Lock
from typing import Any

import redis

from api.rate_limits.gcra import Rate, Verdict, admit, remaining_debt
from api.rate_limits.prepaid import ReservedTokens, reservation
from infra.redis_client import RedisUnavailable, ask_redis, redis_is_configured
from infra.timeouts import REQUEST_LIMIT_TURN_SECONDS
from ingest import redis_keys
from ingest.group_commit import GroupCommit, GroupLimits, OutcomeOpen, QueueIsFull

MAX_LOCAL_NAMES = 10_000


def _microseconds() -> int:
    return time.monotonic_ns() // 1000


class LocalLimiter:
    """What each name owes to this process, which remembers so many names at most."""

    def __init__(self, rate: Rate, clock: Callable[[], int] = _microseconds) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = Lock()
        #: What was owed when, the name that asked last at the end.
        self._owing: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def ask(self, name: str) -> Verdict:
        """Count one request under this name."""
        with self._lock:
            now = self._clock()
            owed, since = self._owing.get(name, (0, now))
            verdict = admit(self._rate, remaining_debt(self._rate, owed, now - since))
            self._owing[name] = verdict.owed, now
            self._owing.move_to_end(name)
            self._forget(now)
            return verdict

    def _forget(self, now: int) -> None:
        """Who asked a whole period ago owes nothing any more; beyond the bound the oldest goes."""
        while self._owing:
            oldest, (_, since) = next(iter(self._owing.items()))
            if now - since < self._rate.cost and len(self._owing) <= MAX_LOCAL_NAMES:
                break
            del self._owing[oldest]


_CHARGE = (Path(__file__).parent / "charge.lua").read_text()
_CHARGE_DIGEST = sha1(_CHARGE.encode()).hexdigest()  # noqa: S324 - Redis' choice


def charge(rate: str, limit: int, cost: int, counts: Mapping[str, int]) -> dict[str, int]:
    """Count so many requests of each name; what each owed before. One round trip, or NoRedis.

    Who counts by another rate counts apart.
    """
    names = [redis_keys.debt(rate, name) for name in counts]
    arguments = [len(names), *names, limit, cost, *counts.values()]

    def send(server: Any) -> Any:
        try:
            return server.evalsha(_CHARGE_DIGEST, *arguments)
        except redis.exceptions.NoScriptError:
            return server.eval(_CHARGE, *arguments)

    return dict(zip(counts, ask_redis(send), strict=True))


#: Waiting longer for Redis would do more harm than counting alone.
_LIMITS = GroupLimits(wait_seconds=REQUEST_LIMIT_TURN_SECONDS)


class Limiter:
    """Counts by this rate."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._alone = LocalLimiter(rate)
        self._prepaid = ReservedTokens(rate)
        self._together: GroupCommit[str, Verdict] = GroupCommit(self._commit, _LIMITS)

    def ask(self, name: str) -> Verdict:
        """Count one request under this name."""
        if not redis_is_configured():
            return self._alone.ask(name)
        if prepaid := self._prepaid.take(name):
            return prepaid
        try:
            return self._together.submit(name)
        except (RedisUnavailable, QueueIsFull, OutcomeOpen):
            return self._alone.ask(name)

    def _commit(self, names: Sequence[str]) -> list[Verdict]:
        """The script admits as many of each name as `judge` does, so these are told apart here."""
        advance = reservation(self._rate)
        counts = {name: count + advance for name, count in Counter(names).items()}
        owed = charge(str(self._rate), self._rate.limit, self._rate.cost, counts)
        verdicts = []
        for name in names:
            verdict = admit(self._rate, owed[name])
            owed[name] = verdict.owed
            verdicts.append(verdict)
        for name, debt in owed.items():
            more = min(advance, Verdict(self._rate, admitted=True, owed=debt).remaining)
            if more:
                self._prepaid.put(name, more, debt + more * self._rate.cost)
        return verdicts


@cache
def limiter(rate: Rate) -> Limiter:
    """The one of this process."""
    return Limiter(rate)
