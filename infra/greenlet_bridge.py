"""Plain functions on an event loop: where one has to wait, it is suspended, and the loop goes on.

A function that calls others, that call others, waits at the bottom of all of them. As a coroutine
each of them would have to be one; in a greenlet none of them knows. So one thread serves as many
requests as come, and a view is the same here and in a thread of its own.

Only what waits by `wait` may run here: anything else that waits holds up all other requests.
"""

import asyncio
import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any, Generic, ParamSpec, TypeVar

from greenlet import getcurrent, greenlet

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

#: So many of a thread's greenlets are kept for further calls.
_MOST_IDLE = 64


class _Ended(Generic[Result]):
    """What a function has returned."""

    def __init__(self, result: Result) -> None:
        self._results = [result]

    def take(self) -> Result:
        """It; nobody keeps it here."""
        return self._results.pop()


class _Suspendable(greenlet):
    """Functions on a loop, one after the other: Python maps memory anew for each greenlet.

    It ends with the first that raises something.
    """

    def run(self, work: "_Work") -> None:
        """What the first `switch` begins; each further one that follows an end brings new work."""
        while True:
            function, args, kwargs = work
            ended = _Ended(function(*args, **kwargs))
            del function, args, kwargs, work  # it may be long until there is more
            work = self.leave(ended)

    def leave(self, what: object) -> Any:
        """Hand this to who waits for this greenlet; what it is given when it is to go on."""
        if self.parent is None:
            raise RuntimeError("who called this is gone")
        return self.parent.switch(what)


_Work = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class _Idle(threading.local):
    """Those of this thread that wait for a call."""

    def __init__(self) -> None:
        self.greenlets: list[_Suspendable] = []


_idle = _Idle()


async def spawn(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """What the function returns or raises; while it waits, others have the loop."""
    greenlets = _idle.greenlets
    running = greenlets.pop() if greenlets else _Suspendable()
    running.gr_context = Context()
    done: Any = running.switch((function, args, kwargs))
    while not isinstance(done, _Ended):
        try:
            value = await done
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the function's
            done = running.throw(error)
        else:
            done = running.switch(value)
    if len(greenlets) < _MOST_IDLE:
        greenlets.append(running)
    result: Result = done.take()
    return result


def is_in_greenlet() -> bool:
    """Whether who asks runs on a loop, and must not wait but by `wait`."""
    return isinstance(getcurrent(), _Suspendable)


def await_(future: "asyncio.Future[Result]") -> Result:
    """The future's result or error, for a function that is suspendable."""
    here = getcurrent()
    if isinstance(here, _Suspendable):
        result: Result = here.leave(future)
        return result
    raise RuntimeError("only what was called by `call` can be suspended")
