"""Group commit: which thread commits, which ones wait, and that every wait ends."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

import pytest

from infra import event_loop
from ingest.group_commit import GroupCommit, GroupLimits, OutcomeOpen, QueueIsFull
from tests.live.servers import eventually

Commit = Callable[[Sequence[int]], Sequence[int | Exception]]


class Gate:
    """A commit that waits until it is let through, and remembers its groups."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.passes = threading.Semaphore(0)

    def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.groups.append(list(items))
        assert self.passes.acquire(timeout=10)
        return [item * 10 for item in items]


class Callers:
    """Threads that submit, started one after the other so that their order is known."""

    def __init__(self, group_commit: GroupCommit[int, int]) -> None:
        self.group_commit = group_commit
        self.pool = ThreadPoolExecutor(64)

    def submit(self, *items: int, size: int = 0) -> list["Future[int]"]:
        futures = []
        for item in items:
            waiting = len(self.group_commit._waiting)
            futures.append(self.pool.submit(self.group_commit.submit, item, size))
            eventually(self._more_than(waiting), 5, "it waits")
        return futures

    def _more_than(self, waiting: int) -> Callable[[], bool]:
        return lambda: len(self.group_commit._waiting) > waiting


@pytest.fixture
def gate() -> Gate:
    return Gate()


def led(gate: Gate, bounds: GroupLimits = GroupLimits()) -> tuple[Callers, "Future[int]"]:  # noqa: B008
    """Callers, and the first of them under way alone in a group."""
    callers = Callers(GroupCommit(gate, bounds))
    first = callers.pool.submit(callers.group_commit.submit, 0)
    eventually(lambda: gate.groups == [[0]], 5, "the first commits")
    return callers, first


def test_a_lone_request_commits_at_once(gate: Gate) -> None:
    gate.passes.release()

    assert GroupCommit(gate).submit(7) == 70
    assert gate.groups == [[7]]


def test_those_that_come_meanwhile_are_the_next_group_in_their_order(gate: Gate) -> None:
    callers, first = led(gate)
    rest = callers.submit(1, 2, 3)

    gate.passes.release(2)

    assert [future.result(5) for future in (first, *rest)] == [0, 10, 20, 30]
    assert gate.groups == [[0], [1, 2, 3]]


def test_a_group_is_bounded_by_items(gate: Gate) -> None:
    callers, _ = led(gate, GroupLimits(group_items=2))
    rest = callers.submit(1, 2, 3, 4, 5)

    gate.passes.release(10)

    assert [future.result(5) for future in rest] == [10, 20, 30, 40, 50]
    assert gate.groups == [[0], [1, 2], [3, 4], [5]]


def test_a_group_is_bounded_by_bytes_and_holds_at_least_one(gate: Gate) -> None:
    callers, _ = led(gate, GroupLimits(group_bytes=100))
    rest = [*callers.submit(1, 2, size=50), *callers.submit(3, size=1000), *callers.submit(4)]

    gate.passes.release(10)

    assert [future.result(5) for future in rest] == [10, 20, 30, 40]
    assert gate.groups == [[0], [1, 2], [3], [4]]


def test_who_finds_the_waiting_room_full_is_turned_away_at_once(gate: Gate) -> None:
    callers, first = led(gate, GroupLimits(waiting_items=2))
    rest = callers.submit(1, 2)

    with pytest.raises(QueueIsFull, match="too many"):
        callers.group_commit.submit(3)

    gate.passes.release(2)
    assert [future.result(5) for future in (first, *rest)] == [0, 10, 20]


def test_whose_turn_does_not_come_in_time_is_not_begun(gate: Gate) -> None:
    callers, first = led(gate, GroupLimits(wait_seconds=0.05))

    with pytest.raises(QueueIsFull, match="in time"):
        callers.group_commit.submit(1)

    gate.passes.release(2)
    assert first.result(5) == 0
    assert callers.group_commit.submit(2) == 20
    assert gate.groups == [[0], [2]]


def test_a_commit_that_hangs_leaves_its_followers_with_an_open_outcome(gate: Gate) -> None:
    callers, _ = led(gate, GroupLimits(wait_seconds=0.3))
    leader, follower = callers.submit(1, 2)
    gate.passes.release()
    eventually(lambda: gate.groups == [[0], [1, 2]], 5, "the second group commits")

    with pytest.raises(OutcomeOpen):
        follower.result(5)

    gate.passes.release()
    assert leader.result(5) == 10


def test_each_gets_its_own_error(gate: Gate) -> None:
    def commit(items: Sequence[int]) -> list[int | Exception]:
        gate(items)
        return [ValueError(item) if item % 2 else item for item in items]

    callers = Callers(GroupCommit(commit))
    first = callers.pool.submit(callers.group_commit.submit, 0)
    eventually(lambda: gate.groups == [[0]], 5, "the first commits")
    rest = callers.submit(1, 2, 3)
    gate.passes.release(2)

    assert first.result(5) == 0
    assert [str(future.exception(5)) for future in rest] == ["1", "None", "3"]


@pytest.mark.parametrize("failure", [ValueError("all"), SystemExit(1)])
def test_a_commit_that_fails_fails_its_group_and_no_other(failure: BaseException) -> None:
    gate = Gate()
    failing = [False, True]

    def commit(items: Sequence[int]) -> list[int | Exception]:
        outcomes = gate(items)
        if failing and failing.pop(0):
            raise failure
        return outcomes

    callers = Callers(GroupCommit(commit))
    first = callers.pool.submit(callers.group_commit.submit, 0)
    eventually(lambda: gate.groups == [[0]], 5, "the first commits")
    leader, follower = callers.submit(1, 2)
    gate.passes.release()
    eventually(lambda: len(gate.groups) == 2, 5, "the second group commits")
    third = callers.submit(3)[0]
    gate.passes.release(2)

    assert first.result(5) == 0
    assert leader.exception(5) is failure
    assert isinstance(follower.exception(5), ValueError | OutcomeOpen)
    assert third.result(5) == 30


def test_a_commit_that_forgets_an_outcome_is_not_believed() -> None:
    with pytest.raises(OutcomeOpen):
        GroupCommit[int, int](lambda _: []).submit(1)


def test_under_load_every_item_is_committed_once_and_each_client_in_its_order() -> None:
    committed: list[int] = []

    def commit(items: Sequence[int]) -> list[int | Exception]:
        committed.extend(items)
        return [len(committed) - len(items) + index for index, _ in enumerate(items)]

    group_commit = GroupCommit(commit, GroupLimits(group_items=7))

    def client(number: int) -> list[int]:
        return [group_commit.submit(number * 1000 + n) for n in range(200)]

    with ThreadPoolExecutor(32) as pool:
        positions = list(pool.map(client, range(32)))

    assert sorted(committed) == [n * 1000 + k for n in range(32) for k in range(200)]
    for number, of_client in enumerate(positions):
        assert of_client == sorted(of_client)
        assert [committed[position] for position in of_client] == [
            number * 1000 + n for n in range(200)
        ]


def test_items_count_by_their_weight(gate: Gate) -> None:
    callers, first = led(gate, GroupLimits(group_items=5))
    futures = []
    for item, weight in ((1, 3), (2, 2), (3, 1), (4, 9), (5, 1)):
        waiting = len(callers.group_commit._waiting)
        futures.append(callers.pool.submit(callers.group_commit.submit, item, 0, weight))
        eventually(callers._more_than(waiting), 5, "it waits")

    gate.passes.release(6)

    assert [future.result(10) for future in (first, *futures)] == [0, 10, 20, 30, 40, 50]
    assert gate.groups == [[0], [1, 2], [3], [4], [5]]


def test_after_a_large_group_the_next_waits_for_those_on_their_way(gate: Gate) -> None:
    callers, _ = led(gate, GroupLimits(crowd=2, pace_seconds=1))
    callers.submit(1, 2)
    gate.passes.release()
    eventually(lambda: gate.groups[1:] == [[1, 2]], 5, "those that came meanwhile commit at once")

    callers.submit(3)
    gate.passes.release()
    callers.submit(4)

    eventually(lambda: gate.groups[2:] == [[3, 4]], 5, "who came while it waited is with it")
    gate.passes.release(2)


class Suspended:
    """Callers on one event loop, in a thread of its own, started one after the other."""

    def __init__(self, group_commit: GroupCommit[int, int]) -> None:
        self.group_commit = group_commit
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    def submit(self, *items: int) -> list["Future[int]"]:
        return [
            asyncio.run_coroutine_threadsafe(
                event_loop.spawn(self.group_commit.submit, item), self.loop
            )
            for item in items
        ]


@pytest.fixture
def suspended(gate: Gate) -> Iterator[Suspended]:
    with Suspended(GroupCommit(gate)) as callers:
        yield callers


@pytest.fixture
def impatient(gate: Gate) -> Iterator[Suspended]:
    with Suspended(GroupCommit(gate, GroupLimits(wait_seconds=0.3))) as callers:
        yield callers


def test_many_wait_suspended_on_one_thread(suspended: Suspended, gate: Gate) -> None:
    [first] = suspended.submit(0)
    eventually(lambda: gate.groups == [[0]], 5, "the first commits")
    rest = suspended.submit(*range(1, 500))
    eventually(lambda: len(suspended.group_commit._waiting) == 499, 5, "all wait")

    gate.passes.release(2)

    assert [future.result(5) for future in (first, *rest)] == [10 * n for n in range(500)]
    assert gate.groups == [[0], list(range(1, 500))]


def test_threads_and_suspended_ones_share_groups_and_either_leads(
    suspended: Suspended, gate: Gate
) -> None:
    callers = Callers(suspended.group_commit)
    first = callers.pool.submit(callers.group_commit.submit, 0)
    eventually(lambda: gate.groups == [[0]], 5, "a thread leads")
    second = [*suspended.submit(1), *callers.submit(2)]
    eventually(lambda: len(suspended.group_commit._waiting) == 2, 5, "both wait")
    gate.passes.release()
    eventually(lambda: len(gate.groups) == 2, 5, "a suspended one leads")
    third = [*callers.submit(3), *suspended.submit(4)]
    eventually(lambda: len(suspended.group_commit._waiting) == 2, 5, "both wait")
    gate.passes.release(2)

    assert [future.result(5) for future in (first, *second, *third)] == [0, 10, 20, 30, 40]
    assert [sorted(group) for group in gate.groups] == [[0], [1, 2], [3, 4]]


def test_a_suspended_one_is_turned_away_when_its_turn_does_not_come(
    impatient: Suspended, gate: Gate
) -> None:
    [first] = impatient.submit(0)
    eventually(lambda: gate.groups == [[0]], 5, "the first commits")

    [late] = impatient.submit(1)

    assert isinstance(late.exception(5), QueueIsFull)
    assert isinstance(first.exception(5), OutcomeOpen)
    gate.passes.release(2)
    eventually(lambda: impatient.submit(2)[0].result(5) == 20, 5, "it goes on")
    assert gate.groups == [[0], [2]]


def test_a_suspended_one_gets_its_error() -> None:
    def commit(_: Sequence[int]) -> list[int | Exception]:
        raise ValueError("all")

    with Suspended(GroupCommit(commit)) as failing:
        assert str(failing.submit(1)[0].exception(5)) == "all"
