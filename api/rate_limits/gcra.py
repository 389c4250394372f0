"""The generic cell rate algorithm: a burst up to the limit, then requests at the pace of the rate.

This is the continuous-state leaky bucket (ITU-T Recommendation I.371). Each request adds to its
client's debt, time pays the debt off, and a client may send as long as its debt stays within the
limit. All numbers are integers.
"""

import re
from dataclasses import dataclass
from functools import cache

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}
_RATE = re.compile(r"([1-9][0-9]{0,6})/([smh])", re.ASCII)
#: Up to this limit per hour, Lua's floating point numbers count exactly.
_MAX_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """A number of requests in a unit of time, as a burst or spread out."""

    limit: int
    unit: str

    def __str__(self) -> str:
        return f"{self.limit}/{self.unit}"

    @property
    def cost(self) -> int:
        """The debt of one request: a microsecond pays off `limit`, so a unit pays off the limit."""
        return _UNIT_SECONDS[self.unit] * 1_000_000

    @property
    def capacity(self) -> int:
        """The maximum debt of a client."""
        return self.limit * self.cost


@cache
def parse_rate(text: str) -> Rate:
    """Parse a rate such as 100/s. Raises ValueError with a sentence."""
    found = _RATE.fullmatch(text)
    if not found or int(found[1]) > _MAX_LIMIT:
        raise ValueError(
            f"a rate is a number from 1 to {_MAX_LIMIT} and s, m or h, "
            f"such as 100/s or 5000/m, not {text!r}"
        )
    return Rate(int(found[1]), found[2])


_SECOND = 1_000_000  # microseconds, each of which pays off the rate's limit


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one request is admitted; `debt` is the client's debt after it."""

    rate: Rate
    admitted: bool
    debt: int

    @property
    def remaining(self) -> int:
        """The number of further requests that would be admitted now."""
        return (self.rate.capacity - self.debt) // self.rate.cost

    @property
    def reset_seconds(self) -> int:
        """The time until the debt is paid off, rounded up."""
        return self._seconds(self.debt)

    @property
    def retry_seconds(self) -> int:
        """The time until one more is admitted, rounded up; at least 1 after a refusal."""
        return self._seconds(max(0, self.debt + self.rate.cost - self.rate.capacity))

    def _seconds(self, debt: int) -> int:
        return -(-debt // (self.rate.limit * _SECOND))


def remaining_debt(rate: Rate, debt: int, microseconds: int) -> int:
    """Return the debt after this time; a clock that was set back pays nothing off."""
    return max(0, debt - max(0, microseconds) * rate.limit)


def admit(rate: Rate, debt: int) -> Verdict:
    """Admit or refuse one request of a client with this debt; a refused request adds none."""
    admitted = debt + rate.cost <= rate.capacity
    return Verdict(rate, admitted, debt + rate.cost if admitted else debt)
