"""Waiting on an event loop: plain functions that are suspended, batches of their work, timeouts.

With coroutines, each function on the stack of a wait would have to be one; in a greenlet none has
to know. Code that runs here may wait by `await_` alone: any other wait stops all other requests.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

from greenlet import getcurrent, greenlet

from infra.errors import Unavailable
from infra.timeouts import REQUEST_TURN_SECONDS

Arguments = ParamSpec("Arguments")
Item = TypeVar("Item")
Result = TypeVar("Result")

#: Each thread keeps at most this number of greenlets for further calls.
_MAX_IDLE = 64


class _Returned(list[Any]):
    """The return value of a function, to be taken by `pop`, so that no reference to it is kept."""


class _Runner(greenlet):
    """Runs functions until one raises, because Python maps memory anew for each greenlet."""

    def run(self, work: "_Work") -> None:
        """Run until a function raises. The first `switch` starts it; later ones bring new work."""
        while True:
            function, args, kwargs = work
            returned = _Returned([function(*args, **kwargs)])
            del function, args, kwargs, work  # the next call may be far off
            work = self.leave(returned)

    def leave(self, value: object) -> Any:
        """Pass the value to the parent, and return what the parent resumes this greenlet with."""
        if self.parent is None:
            raise RuntimeError("the greenlet has no parent to return to")
        return self.parent.switch(value)


_Work = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class _Idle(threading.local):
    """This thread's greenlets that are free for a call."""

    def __init__(self) -> None:
        self.greenlets: list[_Runner] = []


_idle = _Idle()


async def spawn(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Call the function in a greenlet; while it waits, the loop runs other tasks."""
    greenlets = _idle.greenlets
    runner = greenlets.pop() if greenlets else _Runner()
    runner.gr_context = Context()
    switched: Any = runner.switch((function, args, kwargs))
    while not isinstance(switched, _Returned):
        try:
            value = await switched
        except BaseException as error:  # noqa: BLE001 - any error belongs to the function
            switched = runner.throw(error)
        else:
            switched = runner.switch(value)
    if len(greenlets) < _MAX_IDLE:
        greenlets.append(runner)
    result: Result = switched.pop()
    return result


def is_in_greenlet() -> bool:
    """Whether the caller runs on a loop, where it may wait by `await_` alone."""
    return isinstance(getcurrent(), _Runner)


def await_(future: "asyncio.Future[Result]") -> Result:
    """Suspend the calling greenlet until the future is done; return or raise its outcome."""
    here = getcurrent()
    if isinstance(here, _Runner):
        result: Result = here.leave(future)
        return result
    raise RuntimeError("await_ works only below a function that was called by spawn")


def pause(seconds: float) -> None:
    """Wait for so long; on a loop, other tasks go on."""
    if is_in_greenlet():
        await_(asyncio.ensure_future(asyncio.sleep(seconds)))
    else:
        time.sleep(seconds)


#: A timeout is noticed late by at most this part of its length.
_LATENESS = 0.1


class TimeoutQueue:
    """Timeouts of equal length for many waits at once, at most a tenth late.

    A timer of the loop for each wait costs a tenth of a request. Here the waits lie in the order of
    their deadlines, and one timer checks the first of them now and then.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadlines: dict[Callable[[], object], float] = {}
        self._is_scheduled = False

    def add(self, callback: Callable[[], object]) -> None:
        """Call this after the timeout, on the running loop. Each wait needs its own callback."""
        loop = asyncio.get_running_loop()
        self._deadlines[callback] = loop.time() + self._seconds
        if not self._is_scheduled:
            self._schedule(loop)

    def cancel(self, callback: Callable[[], object]) -> None:
        """Do not call this any more, if it was added."""
        self._deadlines.pop(callback, None)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_scheduled = True
        loop.call_later(self._seconds * _LATENESS, self._check, loop)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_scheduled = False
        now = loop.time()
        while self._deadlines:
            callback, deadline = next(iter(self._deadlines.items()))
            if deadline > now:
                self._schedule(loop)
                return
            del self._deadlines[callback]
            callback()


class Busy(Unavailable):
    """Too many calls wait, or the turn of this one did not come in time: nothing was begun."""

    detail = "Too many requests are waiting."


@dataclass(eq=False)
class _Call(Generic[Item, Result]):
    """An item that waits for its batch, and the future of its result."""

    item: Item
    weight: int
    result: "asyncio.Future[Result]"

    def expire(self) -> None:
        """End the wait, unless the batch has begun, which takes its own time."""
        if not self.result.done():
            self.result.set_exception(Busy)


@dataclass(frozen=True)
class BatchLimits:
    """Limits of a batch, of the queue and of the wait in it; a call counts by its weight."""

    batch: int = 2000
    waiting: int = 1_000_000
    seconds: float = REQUEST_TURN_SECONDS


class Batcher(Generic[Item, Result]):
    """Does in one thread what suspended functions wait for: whatever waits then is one batch.

    `work` returns one result or exception for each item, in order. If it raises, every item of the
    batch gets that exception.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        limits: BatchLimits = BatchLimits(),
    ) -> None:
        self._work = work
        self._limits = limits
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begin_on(None)

    def _begin_on(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop
        self._calls: deque[_Call[Item, Result]] = deque()
        self._weight = 0
        self._is_working = False
        self._timeouts = TimeoutQueue(self._limits.seconds)

    def call(self, item: Item, weight: int = 1) -> Result:
        """Suspend until the item's batch is done. Raises Busy, and the item's own error."""
        return self._wait(self._add(item, weight))

    def call_all(self, items: Sequence[Item], weights: Sequence[int]) -> list[Result]:
        """The same for items that mostly are in one batch."""
        calls = [self._add(*one) for one in zip(items, weights, strict=True)]
        try:
            return [self._wait(call) for call in calls]
        finally:
            for call in calls:
                call.result.cancel()  # after an error nobody waits for the others

    def _add(self, item: Item, weight: int) -> "_Call[Item, Result]":
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._begin_on(loop)
        if self._weight + weight > self._limits.waiting:
            raise Busy
        call = _Call[Item, Result](item, weight, loop.create_future())
        self._calls.append(call)
        self._weight += weight
        if not self._is_working:
            self._is_working = True
            loop.call_soon(self._begin)  # after the calls of this turn of the loop
        self._timeouts.add(call.expire)
        return call

    def _wait(self, call: "_Call[Item, Result]") -> Result:
        try:
            return await_(call.result)
        finally:
            self._timeouts.cancel(call.expire)

    def _begin(self) -> None:
        batch = self._next_batch()
        self._is_working = bool(batch)
        if batch and self._loop:
            items = [call.item for call in batch]
            work = self._loop.run_in_executor(self._thread, self._work, items)
            work.add_done_callback(lambda done: self._finish(batch, done))

    def _next_batch(self) -> "list[_Call[Item, Result]]":
        batch: list[_Call[Item, Result]] = []
        weight = 0
        while self._calls and (not batch or weight + self._calls[0].weight <= self._limits.batch):
            call = self._calls.popleft()
            self._weight -= call.weight
            if not call.result.done():
                self._timeouts.cancel(call.expire)
                batch.append(call)
                weight += call.weight
        return batch

    def _finish(
        self,
        batch: "Sequence[_Call[Item, Result]]",
        done: "asyncio.Future[Sequence[Result | Exception]]",
    ) -> None:
        self._begin()  # so that the next batch is worked on while these go on
        error = done.exception()
        outcomes = [error] * len(batch) if error else done.result()
        for call, outcome in zip(batch, outcomes, strict=True):
            if call.result.done():
                continue  # its function has ended: the process is shutting down
            if isinstance(outcome, BaseException):
                call.result.set_exception(outcome)
            else:
                call.result.set_result(outcome)
