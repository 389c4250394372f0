"""A request that waits for its group: in a thread of its own, or suspended on an event loop."""

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Lock
from typing import Generic, TypeVar

from core import suspending
from core.deadlines import Deadlines

Item = TypeVar("Item")
Result = TypeVar("Result")


class Ticket(ABC, Generic[Item, Result]):
    """`is_called` to lead once it is its turn; `is_settled` once its outcome is there."""

    def __init__(self, item: Item, size: int, weight: int) -> None:
        self.item = item
        self.size = size
        self.weight = weight
        self.is_called = False
        self.is_settled = False
        self.outcome: Result | Exception | None = None

    @abstractmethod
    def call(self) -> None:
        """Have it lead the next group."""

    @abstractmethod
    def wait(self) -> bool:
        """True when it is settled, or is to lead in this thread; false when the time is up."""

    def settle(self, outcome: Result | Exception) -> None:
        """Note what became of it."""
        self.outcome = outcome
        self.is_settled = True


class BlockedTicket(Ticket[Item, Result]):
    """It has a thread, which leads when it is called, and waits so many seconds."""

    def __init__(self, item: Item, size: int, weight: int, *, seconds: float) -> None:
        super().__init__(item, size, weight)
        self._seconds = seconds
        self._turn = Lock()
        self._turn.acquire()

    def call(self) -> None:
        """Have its own thread lead."""
        self.is_called = True
        self._turn.release()

    def wait(self) -> bool:
        """As above."""
        return self._turn.acquire(timeout=self._seconds)

    def settle(self, outcome: Result | Exception) -> None:
        """Let its thread go on."""
        super().settle(outcome)
        self._turn.release()


class SuspendedTicket(Ticket[Item, Result]):
    """It has no thread: when it is called, `lead` has to find one, and must not wait for it."""

    def __init__(
        self,
        item: Item,
        size: int,
        weight: int,
        *,
        lead: Callable[[], object],
        deadlines: Deadlines,
    ) -> None:
        super().__init__(item, size, weight)
        self._lead = lead
        self._deadlines = deadlines
        self.loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] | None = None

    def call(self) -> None:
        """Have another thread lead; of the first on its loop once all that has arrived is in."""
        self.is_called = True
        if suspending.is_suspendable():
            self.loop.call_soon(self._lead)
        else:
            self._lead()

    def wait(self) -> bool:
        """As above; it is never to lead itself."""
        if not self.is_settled:
            self._over = self.loop.create_future()
            self._deadlines.set(self.resume)
            try:
                suspending.wait(self._over)
            finally:
                self._deadlines.meet(self.resume)
        return self.is_settled

    def resume(self) -> None:
        """Let it look what became of it; to be called on its loop."""
        if self._over and not self._over.done():
            self._over.set_result(None)


def resume(tickets: Iterable[Ticket[Item, Result]]) -> None:
    """Let those that are suspended go on, of each loop all at once: to wake it costs a call."""
    by_loop = defaultdict(list)
    for ticket in tickets:
        if isinstance(ticket, SuspendedTicket):
            by_loop[ticket.loop].append(ticket)
    for loop, suspended in by_loop.items():
        with suppress(RuntimeError):  # it was closed: nobody waits any more
            loop.call_soon_threadsafe(_resume_all, suspended)


def _resume_all(suspended: Iterable[SuspendedTicket[Item, Result]]) -> None:
    for ticket in suspended:
        ticket.resume()
