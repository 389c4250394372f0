"""Functions on an event loop share greenlets one after another, and no other state."""

import asyncio
import weakref
from contextvars import ContextVar

import pytest

from infra import event_loop

name: ContextVar[str] = ContextVar("name", default="nobody's")


def after_a_while(what: object) -> object:
    """It, when others have had the loop."""
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, what)
    return event_loop.await_(future)


def call(*functions: object) -> list[object]:
    """What they return, each called when the one before has ended."""

    async def run() -> list[object]:
        return [await event_loop.spawn(function) for function in functions]  # type: ignore[arg-type]

    return asyncio.run(run())


def test_one_is_told_nothing_of_the_one_before() -> None:
    def rename() -> str:
        before = name.get()
        name.set("mine")
        after_a_while(None)
        return f"{before}, {name.get()}"

    assert call(rename, rename) == ["nobody's, mine"] * 2


def test_nothing_is_kept_of_one_that_has_ended() -> None:
    class Asked:
        """Something that a function was given."""

    async def run() -> "weakref.ref[Asked]":
        asked = Asked()
        assert await event_loop.spawn(after_a_while, asked) is asked
        return weakref.ref(asked)

    assert asyncio.run(run())() is None


def test_one_fails_and_the_next_goes_on() -> None:
    def fail() -> None:
        after_a_while(None)
        raise ValueError("mine")

    async def run() -> object:
        with pytest.raises(ValueError, match="mine"):
            await event_loop.spawn(fail)
        return await event_loop.spawn(after_a_while, "done")

    assert asyncio.run(run()) == "done"


def test_as_many_are_under_way_as_are_called() -> None:
    async def run() -> list[object]:
        calls = [event_loop.spawn(after_a_while, number) for number in range(300)]
        return await asyncio.gather(*calls)

    assert asyncio.run(run()) == list(range(300))
    assert asyncio.run(run()) == list(range(300))


def test_one_that_is_given_up_is_told_so() -> None:
    told = []

    def wait_for_ever() -> None:
        try:
            event_loop.await_(asyncio.get_running_loop().create_future())
        except asyncio.CancelledError:
            told.append(True)
            raise

    async def run() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(event_loop.spawn(wait_for_ever), 0.01)

    asyncio.run(run())
    assert told == [True]


def test_only_what_was_called_here_can_wait() -> None:
    async def run() -> None:
        with pytest.raises(RuntimeError):
            event_loop.await_(asyncio.get_running_loop().create_future())

    asyncio.run(run())
