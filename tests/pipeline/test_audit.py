"""The audit compares pending rows and Redis's numbers with the database."""

from collections.abc import Callable

import pytest

from infra.database import in_transaction
from ingest import redis_keys
from ingest.dead_letters.replay import discard
from ingest.models import DeadLetter, NumberAuthority, Source
from ingest.numbering.authority import begin_epoch, lock_authority
from ingest.sweeper import sweep
from operations.counts import reconcile
from tests.api.client import Api
from tests.audit.results import Place, audit, found_nothing
from tests.pipeline.backlog import Backlog
from tests.shards import ONLY

ERROR, INFO = "error", "info"


@pytest.fixture
def place(api: Api, backlog: Backlog) -> Place:
    """A chat of five messages, stored and counted; Redis gives numbers on."""
    chat = api.new_chat()
    api.say(chat, *"abcde")
    backlog.work()
    reconcile()
    _, _, token, _, number = chat.split("/")
    backlog.redis.delete(redis_keys.progress(ONLY, "chats"), redis_keys.progress(ONLY, "messages"))
    return Place(token, int(number))


def member(backlog: Backlog, place: Place, number: int) -> bytes:
    [found] = backlog.redis.zrangebyscore(redis_keys.pending(place.name), number, number)
    return bytes(found)


def replace(backlog: Backlog, place: Place, number: int, new: bytes) -> None:
    name = redis_keys.pending(place.name)
    backlog.redis.zrem(name, member(backlog, place, number))
    backlog.redis.zadd(name, {new: number})


def test_rows_on_their_way_are_no_loss(api: Api, backlog: Backlog, place: Place) -> None:
    assert found_nothing(audit())
    api.say(place.path, *"fgh")
    api.new_chat()

    assert found_nothing(audit())
    backlog.work(lambda row: row.key[-1] != 7)
    result = audit()

    assert result.ok
    assert result.sorts == {("counts", INFO)}
    backlog.work()
    reconcile()
    assert found_nothing(audit())


@pytest.mark.parametrize(("seconds", "severity"), [(61, INFO), (301, ERROR)])
def test_what_pends_for_long_is_told(
    api: Api, backlog: Backlog, place: Place, seconds: int, severity: str
) -> None:
    api.say(place.path, "f")
    backlog.grow_old(seconds)

    result = audit()

    assert result.sorts == {("pending", severity)}
    assert "messages 6 has been pending for" in result.details("pending")
    sweep()
    reconcile()
    assert found_nothing(audit())


def test_what_workers_are_still_to_come_to_is_no_error(
    api: Api, backlog: Backlog, place: Place
) -> None:
    api.say(place.path, "f", "g")
    backlog.grow_old(301)
    backlog.redis.set(redis_keys.progress(ONLY, "messages"), 1, ex=30)

    assert audit().sorts == {("pending", INFO)}


def lose_a_row(backlog: Backlog, place: Place) -> None:
    backlog.redis.zrem(redis_keys.pending(place.name), member(backlog, place, 6))


def forget_the_parent(backlog: Backlog, place: Place) -> None:
    backlog.redis.zrem(redis_keys.pending_parents(ONLY), place.name)


def make_unreadable(backlog: Backlog, place: Place) -> None:
    replace(backlog, place, 6, b"6 1 nonsense")


def store_otherwise(backlog: Backlog, place: Place) -> None:
    backlog.work()
    place.message(6).update(body="other")
    reconcile()


def store_another(backlog: Backlog, place: Place) -> None:
    backlog.work()
    place.message(6).update(acceptance="0" * 32)
    reconcile()


def lend_too_much(backlog: Backlog, place: Place) -> None:
    backlog.redis.hset(redis_keys.block(place.name), "last", 10_000)


def give_again(backlog: Backlog, place: Place) -> None:
    backlog.redis.hset(redis_keys.block(place.name), "next", 6)


def run_past_the_block(backlog: Backlog, place: Place) -> None:
    backlog.redis.hset(redis_keys.block(place.name), mapping={"last": 6, "next": 9})


def know_a_later_epoch(backlog: Backlog, place: Place) -> None:
    backlog.redis.set(redis_keys.epoch(ONLY), 99)


def lose_the_fence(backlog: Backlog, place: Place) -> None:
    NumberAuthority.objects.update(fence=10**6)


def name_nonsense(backlog: Backlog, place: Place) -> None:
    backlog.redis.zadd("pending:{a}/b", {b"1 1 x": 1})


Plant = Callable[[Backlog, Place], None]

VIOLATIONS: list[tuple[Plant, set[tuple[str, str]], str]] = [
    (lose_a_row, {("gaps", ERROR)}, "messages 6 missing"),
    (forget_the_parent, {("pending", ERROR)}, "not in the sweeper's index"),
    (make_unreadable, {("pending", ERROR)}, "messages 6: "),
    (store_otherwise, {("pending", ERROR)}, "the stored row differs"),
    (store_another, {("pending", ERROR)}, "another row is stored under its number"),
    (lend_too_much, {("blocks", ERROR)}, "Redis may give 10000, above the ceiling"),
    (give_again, {("blocks", ERROR)}, "Redis would give 6 again"),
    (run_past_the_block, {("blocks", ERROR), ("gaps", ERROR)}, "lies behind its block"),
    (know_a_later_epoch, {("numbering", ERROR)}, "older than Redis"),
    (lose_the_fence, {("numbering", INFO)}, "Redis has lost data"),
    (name_nonsense, {("pending", ERROR)}, "an invalid name"),
]


@pytest.mark.parametrize(
    ("plant", "sorts", "detail"), VIOLATIONS, ids=[plant.__name__ for plant, *_ in VIOLATIONS]
)
def test_what_is_planted_is_found_and_nothing_else(
    api: Api,
    backlog: Backlog,
    place: Place,
    plant: Plant,
    sorts: set[tuple[str, str]],
    detail: str,
) -> None:
    api.say(place.path, "f")
    kept = member(backlog, place, 6)
    assert found_nothing(audit())
    plant(backlog, place)
    if plant in {store_otherwise, store_another}:
        backlog.redis.zadd(redis_keys.pending(place.name), {kept: 6})
        backlog.redis.zadd(redis_keys.pending_parents(ONLY), {place.name: 1})

    result = audit()

    assert result.sorts == sorts
    assert detail in "\n".join(one["detail"] for one in result.findings)


def test_a_row_that_pends_though_it_is_stored_is_left_to_the_sweeper(
    api: Api, backlog: Backlog, place: Place
) -> None:
    api.say(place.path, "f")
    kept = member(backlog, place, 6)
    backlog.work()
    reconcile()
    backlog.redis.zadd(redis_keys.pending(place.name), {kept: 6})
    backlog.redis.zadd(redis_keys.pending_parents(ONLY), {place.name: 1})
    assert found_nothing(audit())
    backlog.grow_old(400)

    assert audit().sorts == {("pending", INFO)}


def test_numbers_that_an_epoch_skips_are_told_from_a_loss(
    api: Api, backlog: Backlog, place: Place
) -> None:
    in_transaction(lambda: begin_epoch(lock_authority(ONLY), Source.REDIS, "a test"))
    backlog.pipeline._agent.refresh()
    api.say(place.path, "after")
    backlog.work()
    NumberAuthority.objects.update(is_drained=True)
    reconcile()

    result = audit()

    assert result.ok
    assert result.sorts == {("gaps", INFO)}
    assert "messages 6 to 128 never given" in result.details("gaps")
    place.message(5).delete()
    reconcile(everything=True)
    # What was lost right below a skip cannot be told from it.
    assert audit().sorts == {("gaps", INFO)}
    place.message(3).delete()
    reconcile(everything=True)
    assert audit().sorts == {("gaps", INFO), ("gaps", ERROR)}


def test_an_unreadable_row_is_set_aside_and_discarded_without_being_taken_for_a_loss(
    api: Api, backlog: Backlog, place: Place
) -> None:
    api.say(place.path, "f", "g")
    make_unreadable(backlog, place)
    backlog.grow_old(61, lambda number: number == 7)

    sweep()
    backlog.work(lambda row: row.key[-1] == 7)
    reconcile()

    assert audit().sorts == {("dead_letters", ERROR)}
    discard(DeadLetter.objects.get())
    assert audit().sorts == {("gaps", INFO)}


def test_without_redis_it_is_said_what_is_not_checked(
    api: Api, backlog: Backlog, place: Place
) -> None:
    backlog.server.kill()

    result = audit()

    assert (result.status, result.sorts) == (1, {("unreachable", ERROR)})
    assert "Redis" in result.details("unreachable")


def test_what_cannot_be_seen_is_waited_for_a_while(
    api: Api, backlog: Backlog, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.audit.checks.WORKER_HOLDS_SECONDS", 0.3)
    api.say(place.path, "f", "g")
    backlog.redis.delete(redis_keys.pending(place.name), redis_keys.pending_parents(ONLY))
    NumberAuthority.objects.update(is_drained=False)
    waits = []

    def waiting_in(*_: str) -> int:
        waits.append(len(backlog.rows))
        if len(waits) == 3:
            backlog.work()
            reconcile()
        return waits[-1]

    monkeypatch.setattr("operations.audit.checks.messages_waiting", waiting_in)

    assert audit().sorts == {("numbering", INFO)}
    assert waits == [2, 2, 2, 0]
