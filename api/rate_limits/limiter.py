"""Counts requests against a limit: over Redis for all processes together, or in this process alone.

Requests that arrive at the same time share one round trip to Redis (ingest.group_commit). Without
Redis, or while it is slow, each process grants the whole limit: no request fails by the counting.
"""

import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from pathlib import Path
from threading import Lock
from typing import Any

import redis

from api.rate_limits.gcra import Rate, Verdict, admit, remaining_debt
from infra.redis_client import (
    RedisUnavailable,
    Shard,
    ask_redis,
    redis_is_configured,
    shard_of,
)
from infra.timeouts import REQUEST_LIMIT_TURN_SECONDS
from ingest import redis_keys
from ingest.group_commit import GroupCommit, GroupLimits, OutcomeOpen, QueueIsFull

MAX_LOCAL_CLIENTS = 10_000
_MAX_CLIENTS_WITH_RESERVED = 10_000
_MAX_RESERVED = 100


def _microseconds() -> int:
    return time.monotonic_ns() // 1000


class LocalLimiter:
    """The debts to this process, of at most MAX_LOCAL_CLIENTS clients."""

    def __init__(self, rate: Rate, clock: Callable[[], int] = _microseconds) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = Lock()
        #: Each client's debt, and when that was; the client of the latest request comes last.
        self._debts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def ask(self, client: str) -> Verdict:
        """Count one request of this client."""
        with self._lock:
            now = self._clock()
            debt, since = self._debts.get(client, (0, now))
            verdict = admit(self._rate, remaining_debt(self._rate, debt, now - since))
            self._debts[client] = verdict.debt, now
            self._debts.move_to_end(client)
            self._forget(now)
            return verdict

    def _forget(self, now: int) -> None:
        """Drop debts that are paid off, and beyond the bound the oldest."""
        while self._debts:
            oldest, (_, since) = next(iter(self._debts.items()))
            if now - since < self._rate.cost and len(self._debts) <= MAX_LOCAL_CLIENTS:
                break
            del self._debts[oldest]


def tokens_to_reserve(rate: Rate) -> int:
    """Return the number of requests to count in advance: at most a twentieth of a second's worth.

    Reserved requests of a client that goes away count against its limit until time pays them off.
    """
    return min(_MAX_RESERVED, rate.limit * 50_000 // rate.cost)


@dataclass(slots=True)
class _Reserved:
    requests: int
    debt: int
    until: float


class ReservedTokens:
    """Requests counted in advance, so that not each request of a busy client needs a round trip.

    A round trip for each would cost a lone GET a third more CPU time. No client gets more than its
    limit, because reserved requests count from the start.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._seconds = rate.cost / 1_000_000
        self._clock = clock
        self._lock = Lock()
        self._reserved: OrderedDict[str, _Reserved] = OrderedDict()

    def take(self, client: str) -> Verdict | None:
        """Admit one request that was counted in advance; None if there is none."""
        with self._lock:
            left = self._reserved.pop(client, None)
            if left is None or left.until < self._clock():
                return None
            left.requests -= 1
            if left.requests:
                self._reserved[client] = left
            # The debt includes all reserved requests, but those that are left count as remaining.
            debt = left.debt - left.requests * self._rate.cost
            return Verdict(self._rate, admitted=True, debt=debt)

    def put(self, client: str, requests: int, debt: int) -> None:
        """Reserve requests for one period; `debt` includes them."""
        with self._lock:
            self._reserved[client] = _Reserved(requests, debt, self._clock() + self._seconds)
            self._reserved.move_to_end(client)
            if len(self._reserved) > _MAX_CLIENTS_WITH_RESERVED:
                self._reserved.popitem(last=False)


_CHARGE = (Path(__file__).parent / "charge.lua").read_text()
_CHARGE_DIGEST = sha1(_CHARGE.encode()).hexdigest()  # noqa: S324 - Redis requires SHA-1


def charge(rate: str, limit: int, cost: int, counts: Mapping[str, int]) -> dict[str, int]:
    """Count requests in Redis; return the debt of each client before. Raises RedisUnavailable."""
    by_shard: defaultdict[Shard, list[str]] = defaultdict(list)
    for client in counts:
        by_shard[shard_of(client)].append(client)
    debts: dict[str, int] = {}
    for shard, clients in by_shard.items():
        names = [redis_keys.debt(rate, client) for client in clients]
        numbers = [limit, cost, *(counts[client] for client in clients)]
        debts |= zip(clients, _charge(shard, [len(names), *names, *numbers]), strict=True)
    return debts


def _charge(shard: Shard, arguments: Sequence[Any]) -> Any:
    def send(server: Any) -> Any:
        try:
            return server.evalsha(_CHARGE_DIGEST, *arguments)
        except redis.exceptions.NoScriptError:
            return server.eval(_CHARGE, *arguments)

    return ask_redis(shard, send)


#: Waiting longer for Redis would do more harm than counting alone.
_LIMITS = GroupLimits(wait_seconds=REQUEST_LIMIT_TURN_SECONDS)


class Limiter:
    """Counts by one rate."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._local = LocalLimiter(rate)
        self._reserved = ReservedTokens(rate)
        self._shared: GroupCommit[str, Verdict] = GroupCommit(self._commit, _LIMITS)

    def ask(self, client: str) -> Verdict:
        """Count one request of this client."""
        if not redis_is_configured():
            return self._local.ask(client)
        if verdict := self._reserved.take(client):
            return verdict
        try:
            return self._shared.submit(client)
        except (RedisUnavailable, QueueIsFull, OutcomeOpen):
            return self._local.ask(client)

    def _commit(self, clients: Sequence[str]) -> list[Verdict]:
        """Charge a group. The script admits as many of each client as `admit` does here."""
        extra = tokens_to_reserve(self._rate)
        counts = {client: count + extra for client, count in Counter(clients).items()}
        debts = charge(str(self._rate), self._rate.limit, self._rate.cost, counts)
        verdicts = []
        for client in clients:
            verdict = admit(self._rate, debts[client])
            debts[client] = verdict.debt
            verdicts.append(verdict)
        for client, debt in debts.items():
            reserved = min(extra, Verdict(self._rate, admitted=True, debt=debt).remaining)
            if reserved:
                self._reserved.put(client, reserved, debt + reserved * self._rate.cost)
        return verdicts


@cache
def limiter(rate: Rate) -> Limiter:
    """Return this process's limiter of the rate."""
    return Limiter(rate)
