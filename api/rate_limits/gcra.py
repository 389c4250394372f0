"""A rate as an operator writes it, and in the whole numbers that are counted with.

The generic cell rate algorithm: a burst of the whole limit, then as it is paid off by the clock.

Of its two equivalent forms (ITU-T Recommendation I.371, "Traffic control and congestion control in
B-ISDN") this is the leaky bucket with a continuous state: a client owes for what it has sent, and
sends as long as it owes no more than the limit. There is no window, so no edge at which twice the
limit could pass. All numbers are whole.
"""

import re
from dataclasses import dataclass
from functools import cache

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}
_RATE = re.compile(r"([1-9][0-9]{0,6})/([smh])", re.ASCII)
#: As many an hour are counted exactly in the floating point numbers of Lua.
_MAX_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds, as a burst or spread out."""

    limit: int
    unit: str

    def __str__(self) -> str:
        return f"{self.limit}/{self.unit}"

    @property
    def cost(self) -> int:
        """What one request owes: paid off at `limit` a microsecond, `limit` of them in the time."""
        return _UNIT_SECONDS[self.unit] * 1_000_000

    @property
    def capacity(self) -> int:
        """What a client may owe at most."""
        return self.limit * self.cost


@cache
def parse_rate(text: str) -> Rate:
    """The rate. Raises ValueError with a sentence."""
    found = _RATE.fullmatch(text)
    if not found or int(found[1]) > _MAX_LIMIT:
        raise ValueError(
            f"a rate is a number from 1 to {_MAX_LIMIT} and s, m or h, "
            f"such as 100/s or 5000/m, not {text!r}"
        )
    return Rate(int(found[1]), found[2])


_SECOND = 1_000_000  # in the microseconds of which each pays off the rate's limit


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one request is told; `owed` is the client's debt after it."""

    rate: Rate
    admitted: bool
    owed: int

    @property
    def remaining(self) -> int:
        """How many more would be admitted now."""
        return (self.rate.capacity - self.owed) // self.rate.cost

    @property
    def reset_seconds(self) -> int:
        """Until nothing is owed, rounded up."""
        return self._seconds(self.owed)

    @property
    def retry_seconds(self) -> int:
        """Until one more is admitted, rounded up; at least 1 for one that was not."""
        return self._seconds(max(0, self.owed + self.rate.cost - self.rate.capacity))

    def _seconds(self, debt: int) -> int:
        return -(-debt // (self.rate.limit * _SECOND))


def remaining_debt(rate: Rate, owed: int, microseconds: int) -> int:
    """What is still owed so much later; a clock that was set back pays nothing."""
    return max(0, owed - max(0, microseconds) * rate.limit)


def admit(rate: Rate, owed: int) -> Verdict:
    """Admit one request of a client that owes so much, or not; who is refused owes no more."""
    admitted = owed + rate.cost <= rate.capacity
    return Verdict(rate, admitted, owed + rate.cost if admitted else owed)
