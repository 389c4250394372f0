"""Suspended functions that wait at the same time have their work done together."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from infra.event_loop import Batcher, BatchLimits, Busy, spawn

WITHIN = 30.0


class Work:
    """Doubles numbers; `may_end` lets each batch end, and an item of -1 is an error."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.has_begun.set()
        assert self.may_end.wait(WITHIN)
        if 0 in items:
            raise ZeroDivisionError("for all")
        return [ValueError("mine") if item == -1 else 2 * item for item in items]


@pytest.fixture
def work() -> Work:
    return Work()


async def ask(batcher: Batcher[int, int], *items: int) -> list[int | BaseException]:
    """The outcomes of these items, which are asked for at the same time."""
    return await asyncio.gather(
        *(spawn(batcher.call, item) for item in items), return_exceptions=True
    )


def test_what_waits_at_the_same_time_is_one_batch(work: Work) -> None:
    batcher = Batcher("test", work)

    async def run() -> list[list[int | BaseException]]:
        first = asyncio.create_task(ask(batcher, 1, 2, 3))
        assert await asyncio.to_thread(work.has_begun.wait, WITHIN)
        later = [asyncio.create_task(ask(batcher, item)) for item in (4, 5)]
        await asyncio.sleep(0)
        work.may_end.set()
        return [await first, *[await one for one in later]]

    assert asyncio.run(run()) == [[2, 4, 6], [8], [10]]
    assert work.batches == [[1, 2, 3], [4, 5]]


def test_an_error_is_that_of_its_item_or_of_all(work: Work) -> None:
    batcher = Batcher("test", work)
    work.may_end.set()

    async def run() -> tuple[list[int | BaseException], ...]:
        return await ask(batcher, 1, -1), await ask(batcher, 1, 0), await ask(batcher, 1)

    (one, error), both, after = asyncio.run(run())

    assert one == 2
    assert isinstance(error, ValueError)
    assert [type(each) for each in both] == [ZeroDivisionError] * 2
    assert after == [2]


def test_a_batch_is_bounded_and_so_are_those_that_wait(work: Work) -> None:
    batcher = Batcher("test", work, BatchLimits(batch=2, waiting=3))

    async def run() -> list[int | BaseException]:
        asked = asyncio.create_task(ask(batcher, 1, 2, 3, 4))
        assert await asyncio.to_thread(work.has_begun.wait, WITHIN)
        work.may_end.set()
        return await asked

    *answered, refused = asyncio.run(run())

    assert answered == [2, 4, 6]
    assert isinstance(refused, Busy)
    assert work.batches == [[1, 2], [3]]


def test_one_whose_turn_does_not_come_is_refused_and_never_done(work: Work) -> None:
    batcher = Batcher("test", work, BatchLimits(seconds=0.05))

    async def run() -> tuple[list[int | BaseException], ...]:
        first = asyncio.create_task(ask(batcher, 1))
        assert await asyncio.to_thread(work.has_begun.wait, WITHIN)
        late = await ask(batcher, 2)
        work.may_end.set()
        return await first, late, await ask(batcher, 3)

    begun, [refused], after = asyncio.run(run())

    assert begun == [2], "what has begun takes its own time"
    assert isinstance(refused, Busy)
    assert after == [6]
    assert work.batches == [[1], [3]]
