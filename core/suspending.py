"""Plain functions on an event loop: where one has to wait, it is suspended, and the loop goes on.

A function that calls others, that call others, waits at the bottom of all of them. As a coroutine
each of them would have to be one; in a greenlet none of them knows. So one thread serves as many
requests as come, and a view is the same here and in a thread of its own.

Only what waits by `wait` may run here: anything else that waits holds up all other requests.
"""

import asyncio
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from greenlet import getcurrent, greenlet

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class _Suspendable(greenlet):
    """A function under way on a loop."""


async def call(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """What the function returns or raises; while it waits, others have the loop."""
    running = _Suspendable(function)
    done: Any = running.switch(*args, **kwargs)
    while not running.dead:
        try:
            value = await done
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the function's
            done = running.throw(error)
        else:
            done = running.switch(value)
    result: Result = done
    return result


def is_suspendable() -> bool:
    """Whether who asks runs on a loop, and must not wait but by `wait`."""
    return isinstance(getcurrent(), _Suspendable)


def wait(future: "asyncio.Future[Result]") -> Result:
    """The future's result or error, for a function that is suspendable."""
    here = getcurrent()
    if here.parent is None:
        raise RuntimeError("only what was called by `call` can be suspended")
    result: Result = here.parent.switch(future)
    return result
