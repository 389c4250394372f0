"""The one question whether a request is within its client's limit; it is always answered.

Requests of a process that ask at the same time share one round trip to Redis, by which all
processes count together; of a fast client some more are counted with them in advance. Without
Redis, or while it is away or slow, each process counts alone and grants the whole limit: a client
may then send more, by as many times as there are processes.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache

from core.accept.group import Bounds, GroupCommit, OutcomeOpen, TurnedAway
from core.limits.alone import Alone
from core.limits.gcra import Verdict, judge
from core.limits.prepaid import Prepaid, in_advance
from core.limits.rate import Rate
from core.redis.client import is_configured
from core.redis.guard import NoRedis
from core.redis.limits import charge
from core.timeouts import REQUEST_LIMIT_TURN_SECONDS

#: Waiting longer for Redis would do more harm than counting alone.
_BOUNDS = Bounds(wait_seconds=REQUEST_LIMIT_TURN_SECONDS)


class Limiter:
    """Counts by this rate."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._alone = Alone(rate)
        self._prepaid = Prepaid(rate)
        self._together: GroupCommit[str, Verdict] = GroupCommit(self._commit, _BOUNDS)

    def ask(self, name: str) -> Verdict:
        """Count one request under this name."""
        if not is_configured():
            return self._alone.ask(name)
        if prepaid := self._prepaid.take(name):
            return prepaid
        try:
            return self._together.submit(name)
        except (NoRedis, TurnedAway, OutcomeOpen):
            return self._alone.ask(name)

    def _commit(self, names: Sequence[str]) -> list[Verdict]:
        """The script admits as many of each name as `judge` does, so these are told apart here."""
        advance = in_advance(self._rate)
        counts = {name: count + advance for name, count in Counter(names).items()}
        owed = charge(str(self._rate), self._rate.limit, self._rate.cost, counts)
        verdicts = []
        for name in names:
            verdict = judge(self._rate, owed[name])
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
