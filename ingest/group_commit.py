"""A request that waits for its group: in a thread of its own, or suspended on an event loop.

Group commit: requests that wait at the same time share one commit.

The first request that arrives leads: it commits for itself and for all that wait by then, and calls
the first of those that came meanwhile to lead the next group. So a lone request never waits for
company, and the busier it is the larger the groups are. A request that has a thread leads in it;
those that are suspended on an event loop are led by a thread that is kept for them.

In a crowd the leader may linger for a moment before it takes its group, for those that are on their
way: what a commit costs, here and in every service behind it, is shared by more. It is what
PostgreSQL's commit_delay and commit_siblings do.

A request gets its own result or its own error. The waiting room is bounded: who finds it full is
turned away at once. Nothing here knows of Django.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Generic, TypeVar

from infra.event_loop import TimeoutQueue, await_, is_in_greenlet
from infra.timeouts import REQUEST_TURN_SECONDS

Item = TypeVar("Item")
Result = TypeVar("Result")


class Waiter(ABC, Generic[Item, Result]):
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


class ThreadWaiter(Waiter[Item, Result]):
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


class GreenletWaiter(Waiter[Item, Result]):
    """It has no thread: when it is called, `lead` has to find one, and must not wait for it."""

    def __init__(
        self,
        item: Item,
        size: int,
        weight: int,
        *,
        lead: Callable[[], object],
        deadlines: TimeoutQueue,
    ) -> None:
        super().__init__(item, size, weight)
        self._lead = lead
        self._deadlines = deadlines
        self.loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] | None = None

    def call(self) -> None:
        """Have another thread lead; of the first on its loop once all that has arrived is in."""
        self.is_called = True
        if is_in_greenlet():
            self.loop.call_soon(self._lead)
        else:
            self._lead()

    def wait(self) -> bool:
        """As above; it is never to lead itself."""
        if not self.is_settled:
            self._over = self.loop.create_future()
            self._deadlines.add(self.resume)
            try:
                await_(self._over)
            finally:
                self._deadlines.cancel(self.resume)
        return self.is_settled

    def resume(self) -> None:
        """Let it look what became of it; to be called on its loop."""
        if self._over and not self._over.done():
            self._over.set_result(None)


def resume_all(tickets: Iterable[Waiter[Item, Result]]) -> None:
    """Let those that are suspended go on, of each loop all at once: to wake it costs a call."""
    by_loop = defaultdict(list)
    for ticket in tickets:
        if isinstance(ticket, GreenletWaiter):
            by_loop[ticket.loop].append(ticket)
    for loop, suspended in by_loop.items():
        with suppress(RuntimeError):  # it was closed: nobody waits any more
            loop.call_soon_threadsafe(_resume_on_loop, suspended)


def _resume_on_loop(suspended: Iterable[GreenletWaiter[Item, Result]]) -> None:
    for ticket in suspended:
        ticket.resume()


class QueueIsFull(Exception):
    """The request was not begun: the waiting room is full, or its turn did not come in time."""


class OutcomeOpen(Exception):
    """The commit has begun and nobody knows whether it will succeed."""


@dataclass(frozen=True)
class GroupLimits:
    """How large a group, how long a queue, and how long a wait may be.

    Items count by their weight in a group, and each as one in the queue. After a group of a crowd,
    so many items, the next leader lingers so long.
    """

    group_items: int = 1000
    group_bytes: int = 4 * 1024 * 1024
    waiting_items: int = 4000
    wait_seconds: float = REQUEST_TURN_SECONDS
    crowd: int = 1
    linger_seconds: float = 0.0


class GroupCommit(Generic[Item, Result]):
    """Brings the items of concurrent callers together; `commit` gets a list of them.

    `commit` answers one result or exception for each item, in their order; an exception that it
    raises is that of every item of the group.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        bounds: GroupLimits = GroupLimits(),
    ) -> None:
        self._commit = commit
        self._bounds = bounds
        self._lock = Lock()
        self._waiting: deque[Waiter[Item, Result]] = deque()
        self._is_led = False
        self._group_before = 0
        self._leader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="group-commit")
        self._deadlines = TimeoutQueue(bounds.wait_seconds)

    def submit(self, item: Item, size: int = 0, weight: int = 1) -> Result:
        """The result of the item; size counts towards `group_bytes`, weight towards `group_items`.

        Raises what the commit says of this item, TurnedAway, OutcomeOpen.
        """
        ticket = self._ticket(item, size, weight)
        if self._enter(ticket):
            ticket.call()
        self._wait(ticket)
        if not ticket.is_settled:
            self._lead()
        if isinstance(ticket.outcome, Exception):
            raise ticket.outcome
        return ticket.outcome  # type: ignore[return-value] # settled, and not by an error

    def _ticket(self, item: Item, size: int, weight: int) -> Waiter[Item, Result]:
        if not is_in_greenlet():
            return ThreadWaiter(item, size, weight, seconds=self._bounds.wait_seconds)
        lead = partial(self._leader.submit, self._lead)
        return GreenletWaiter(item, size, weight, lead=lead, deadlines=self._deadlines)

    def _enter(self, ticket: Waiter[Item, Result]) -> bool:
        """Take a place in the queue; true when there is no leader, so that this one must lead."""
        with self._lock:
            if len(self._waiting) >= self._bounds.waiting_items:
                raise QueueIsFull("too many requests are waiting")
            self._waiting.append(ticket)
            must_lead = not self._is_led
            self._is_led = True
            return must_lead

    def _wait(self, ticket: Waiter[Item, Result]) -> None:
        """Return when called to lead or settled. Raises TurnedAway or OutcomeOpen."""
        if ticket.wait():
            return
        with self._lock:
            if ticket in self._waiting and not ticket.is_called:
                self._waiting.remove(ticket)
                raise QueueIsFull("the request's turn did not come in time")
        # Its group is being committed, or it has just been called.
        if not ticket.wait():
            raise OutcomeOpen("the commit takes too long")

    def _lead(self) -> None:
        """Commit for all that wait, as far as one group goes; the caller's ticket is the first."""
        if self._bounds.linger_seconds and self._group_before >= self._bounds.crowd:
            time.sleep(self._bounds.linger_seconds)
        group = self._next_group()
        try:
            outcomes = self._commit([ticket.item for ticket in group])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            outcomes = [error] * len(group)
        except BaseException:
            # The process is being ended under this thread; the others must not wait for it.
            self._settle(group, [OutcomeOpen("the commit was interrupted")] * len(group))
            raise
        if len(outcomes) != len(group):
            outcomes = [OutcomeOpen(f"{len(outcomes)} outcomes for {len(group)}")] * len(group)
        self._settle(group, outcomes)

    def _next_group(self) -> list[Waiter[Item, Result]]:
        with self._lock:
            group = [self._waiting.popleft()]
            size, weight = group[0].size, group[0].weight
            while self._waiting:
                size += self._waiting[0].size
                weight += self._waiting[0].weight
                if size > self._bounds.group_bytes or weight > self._bounds.group_items:
                    break
                group.append(self._waiting.popleft())
            self._group_before = len(group)
            return group

    def _settle(
        self, group: Sequence[Waiter[Item, Result]], outcomes: Sequence[Result | Exception]
    ) -> None:
        """Call the next leader first, so that its commit begins while these are answered."""
        with self._lock:
            self._is_led = bool(self._waiting)
            if self._waiting:
                self._waiting[0].call()
        for ticket, outcome in zip(group, outcomes, strict=True):
            ticket.settle(outcome)
        resume_all(group)
