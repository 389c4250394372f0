"""Limits as one process counts them by itself: without a Redis, and while it is away."""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from core.limits.gcra import Verdict, judge, paid_off
from core.limits.rate import Rate

MAX_NAMES = 10_000


def _microseconds() -> int:
    return time.monotonic_ns() // 1000


class Alone:
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
            verdict = judge(self._rate, paid_off(self._rate, owed, now - since))
            self._owing[name] = verdict.owed, now
            self._owing.move_to_end(name)
            self._forget(now)
            return verdict

    def _forget(self, now: int) -> None:
        """Who asked a whole period ago owes nothing any more; beyond the bound the oldest goes."""
        while self._owing:
            oldest, (_, since) = next(iter(self._owing.items()))
            if now - since < self._rate.cost and len(self._owing) <= MAX_NAMES:
                break
            del self._owing[oldest]
