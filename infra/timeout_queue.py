"""Limits of waits on an event loop, kept for thousands of them at once.

A timer of the loop for each costs a tenth of a request; here they lie in the order of their ends,
and are looked at now and then. So what is late is told a little later.
"""

import asyncio
from collections.abc import Callable

_LOOKS = 10


class TimeoutQueue:
    """Calls what has not been met within so many seconds, or within a tenth more."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[Callable[[], object], float] = {}
        self._looks = False

    def set(self, give_up: Callable[[], object]) -> None:
        """Have this called in time, on the loop that runs here; of each deadline another one."""
        loop = asyncio.get_running_loop()
        self._ends[give_up] = loop.time() + self._seconds
        if not self._looks:
            self._look_later(loop)

    def meet(self, give_up: Callable[[], object]) -> None:
        """Have it called no more."""
        self._ends.pop(give_up, None)

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._looks = True
        loop.call_later(self._seconds / _LOOKS, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._looks = False
        now = loop.time()
        while self._ends:
            give_up, end = next(iter(self._ends.items()))
            if end > now:
                self._look_later(loop)
                return
            del self._ends[give_up]
            give_up()
