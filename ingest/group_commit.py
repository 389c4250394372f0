"""Group commit: requests that wait at the same time share one commit.

The first request leads: it commits for itself and for all requests that wait by then, and calls the
first of the later ones to lead the next group. A request with a thread of its own leads in that
thread; those that are suspended on an event loop share one thread that leads for them. Under load
groups begin at a bounded pace: the leader waits for more requests, like PostgreSQL's commit_delay,
so that more of them share the cost. Nothing here depends on Django.
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
    """A request in the queue. `is_called`: it must lead. `is_settled`: it has an outcome."""

    def __init__(self, item: Item, size: int, weight: int) -> None:
        self.item = item
        self.size = size
        self.weight = weight
        self.is_called = False
        self.is_settled = False
        self.outcome: Result | Exception | None = None

    @abstractmethod
    def call(self) -> None:
        """Let it lead the next group."""

    @abstractmethod
    def wait(self) -> bool:
        """Wait; true when it is settled or must lead in this thread, false after a timeout."""

    def settle(self, outcome: Result | Exception) -> None:
        """Set the outcome."""
        self.outcome = outcome
        self.is_settled = True


class ThreadWaiter(Waiter[Item, Result]):
    """A request with a thread of its own, which leads when called; it waits up to `seconds`."""

    def __init__(self, item: Item, size: int, weight: int, *, seconds: float) -> None:
        super().__init__(item, size, weight)
        self._seconds = seconds
        self._turn = Lock()
        self._turn.acquire()

    def call(self) -> None:
        """Wake its thread, which leads."""
        self.is_called = True
        self._turn.release()

    def wait(self) -> bool:
        """Wait in this thread."""
        return self._turn.acquire(timeout=self._seconds)

    def settle(self, outcome: Result | Exception) -> None:
        """Set the outcome and wake its thread."""
        super().settle(outcome)
        self._turn.release()


class GreenletWaiter(Waiter[Item, Result]):
    """A suspended request without a thread. `lead` hands the leading to a thread and returns."""

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
        """Let another thread lead, after the requests that arrived in the same turn of the loop."""
        self.is_called = True
        if is_in_greenlet():
            self.loop.call_soon(self._lead)
        else:
            self._lead()

    def wait(self) -> bool:
        """Suspend until it has an outcome or times out; it never leads itself."""
        if not self.is_settled:
            self._over = self.loop.create_future()
            self._deadlines.add(self.resume)
            try:
                await_(self._over)
            finally:
                self._deadlines.cancel(self.resume)
        return self.is_settled

    def resume(self) -> None:
        """Wake it to look at its outcome. Call this on its loop."""
        if self._over and not self._over.done():
            self._over.set_result(None)


def resume_all(waiters: Iterable[Waiter[Item, Result]]) -> None:
    """Wake the suspended waiters, with one call for each loop, since waking a loop is expensive."""
    by_loop = defaultdict(list)
    for waiter in waiters:
        if isinstance(waiter, GreenletWaiter):
            by_loop[waiter.loop].append(waiter)
    for loop, suspended in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: no request waits any more
            loop.call_soon_threadsafe(_resume_on_loop, suspended)


def _resume_on_loop(suspended: Iterable[GreenletWaiter[Item, Result]]) -> None:
    for waiter in suspended:
        waiter.resume()


class QueueIsFull(Exception):
    """The request was not started: the queue is full, or its turn did not come in time."""


class OutcomeOpen(Exception):
    """The commit has started, and its outcome is unknown."""


@dataclass(frozen=True)
class GroupLimits:
    """Limits of groups, of the queue and of the wait.

    In a group an item counts by its weight, in the queue as one. After a group of at least `crowd`
    items the next one begins `pace_seconds` after that one began, or later.
    """

    group_items: int = 1000
    group_bytes: int = 4 * 1024 * 1024
    waiting_items: int = 4000
    wait_seconds: float = REQUEST_TURN_SECONDS
    crowd: int = 1
    pace_seconds: float = 0.0


class GroupCommit(Generic[Item, Result]):
    """Collects the items of concurrent callers and passes them to `commit` as a list.

    `commit` returns one result or exception for each item, in order. If it raises, every item of
    the group gets that exception.
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
        self._group_began = 0.0
        self._leader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="group-commit")
        self._deadlines = TimeoutQueue(bounds.wait_seconds)

    def submit(self, item: Item, size: int = 0, weight: int = 1) -> Result:
        """The result of the item; size counts towards `group_bytes`, weight towards `group_items`.

        Raises the item's own error, QueueIsFull, OutcomeOpen.
        """
        waiter = self._make_waiter(item, size, weight)
        if self._enter(waiter):
            waiter.call()
        self._wait(waiter)
        if not waiter.is_settled:
            self._lead()
        if isinstance(waiter.outcome, Exception):
            raise waiter.outcome
        return waiter.outcome  # type: ignore[return-value] # settled, and not by an error

    def _make_waiter(self, item: Item, size: int, weight: int) -> Waiter[Item, Result]:
        if not is_in_greenlet():
            return ThreadWaiter(item, size, weight, seconds=self._bounds.wait_seconds)
        lead = partial(self._leader.submit, self._lead)
        return GreenletWaiter(item, size, weight, lead=lead, deadlines=self._deadlines)

    def _enter(self, waiter: Waiter[Item, Result]) -> bool:
        """Join the queue; true if there is no leader, so that this request must lead."""
        with self._lock:
            if len(self._waiting) >= self._bounds.waiting_items:
                raise QueueIsFull("too many requests are waiting")
            self._waiting.append(waiter)
            must_lead = not self._is_led
            self._is_led = True
            return must_lead

    def _wait(self, waiter: Waiter[Item, Result]) -> None:
        """Return when called to lead or settled. Raises QueueIsFull, OutcomeOpen."""
        if waiter.wait():
            return
        with self._lock:
            if waiter in self._waiting and not waiter.is_called:
                self._waiting.remove(waiter)
                raise QueueIsFull("the request's turn did not come in time")
        # Its group is being committed, or it was called a moment ago.
        if not waiter.wait():
            raise OutcomeOpen("the commit takes too long")

    def _lead(self) -> None:
        """Commit one group of the queue; the caller is its first request."""
        self._keep_pace()
        group = self._next_group()
        try:
            outcomes = self._commit([waiter.item for waiter in group])
        except Exception as error:  # noqa: BLE001 - any error is the group's outcome
            outcomes = [error] * len(group)
        except BaseException:
            # The process is shutting down under this thread; the others must not wait for it.
            self._settle(group, [OutcomeOpen("the commit was interrupted")] * len(group))
            raise
        if len(outcomes) != len(group):
            outcomes = [OutcomeOpen(f"{len(outcomes)} outcomes for {len(group)}")] * len(group)
        self._settle(group, outcomes)

    def _keep_pace(self) -> None:
        """Wait for more requests if a large group began a moment ago."""
        if self._group_before >= self._bounds.crowd:
            pause = self._group_began + self._bounds.pace_seconds - time.monotonic()
            if pause > 0:
                time.sleep(pause)
        self._group_began = time.monotonic()

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
        """Call the next leader first, so that its commit starts while these are answered."""
        with self._lock:
            self._is_led = bool(self._waiting)
            if self._waiting:
                self._waiting[0].call()
        for waiter, outcome in zip(group, outcomes, strict=True):
            waiter.settle(outcome)
        resume_all(group)
