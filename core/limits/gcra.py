"""The generic cell rate algorithm: a burst of the whole limit, then as it is paid off by the clock.

Of its two equivalent forms (ITU-T Recommendation I.371, "Traffic control and congestion control in
B-ISDN") this is the leaky bucket with a continuous state: a client owes for what it has sent, and
sends as long as it owes no more than the limit. There is no window, so no edge at which twice the
limit could pass. All numbers are whole.
"""

from dataclasses import dataclass

from core.limits.rate import Rate

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


def paid_off(rate: Rate, owed: int, microseconds: int) -> int:
    """What is still owed so much later; a clock that was set back pays nothing."""
    return max(0, owed - max(0, microseconds) * rate.limit)


def judge(rate: Rate, owed: int) -> Verdict:
    """Admit one request of a client that owes so much, or not; who is refused owes no more."""
    admitted = owed + rate.cost <= rate.capacity
    return Verdict(rate, admitted, owed + rate.cost if admitted else owed)
