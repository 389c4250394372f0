"""Waiting on an event loop: plain functions that are suspended, and thousands of timeouts.

With coroutines, each function on the stack of a wait would have to be one; in a greenlet none has
to know. Code that runs here may wait by `await_` alone: any other wait stops all other requests.
"""

import asyncio
import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any, ParamSpec, TypeVar

from greenlet import getcurrent, greenlet

Arguments = ParamSpec("Arguments")
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
