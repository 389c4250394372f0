"""Requests that were counted in advance, so that a busy client does not cost a round trip each.

Only of a fast rate, and no more than a twentieth of a second's worth: what is left over when a
client goes away is lost to it for as long, and no client is ever granted more than its limit.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

from api.rate_limits.gcra import Rate, Verdict

MAX_NAMES = 10_000
MOST = 100


@dataclass(frozen=True, slots=True)
class _Left:
    requests: int
    owed: int
    until: float


def reservation(rate: Rate) -> int:
    """How many requests are counted with one that has to be."""
    return min(MOST, rate.limit * 50_000 // rate.cost)


class ReservedTokens:
    """What this process has left of each name; the oldest names are forgotten."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._seconds = rate.cost / 1_000_000
        self._clock = clock
        self._lock = Lock()
        self._left: OrderedDict[str, _Left] = OrderedDict()

    def take(self, name: str) -> Verdict | None:
        """One of those counted in advance; None where none is left."""
        with self._lock:
            left = self._left.pop(name, None)
            if left is None or left.until < self._clock():
                return None
            if left.requests > 1:
                self._left[name] = replace(left, requests=left.requests - 1)
            # All of them are owed already, but those that are left count as remaining.
            owed = left.owed - (left.requests - 1) * self._rate.cost
            return Verdict(self._rate, admitted=True, owed=owed)

    def put(self, name: str, requests: int, owed: int) -> None:
        """So many more were counted, with which so much is owed; they count for one period."""
        with self._lock:
            self._left[name] = _Left(requests, owed, self._clock() + self._seconds)
            self._left.move_to_end(name)
            if len(self._left) > MAX_NAMES:
                self._left.popitem(last=False)
