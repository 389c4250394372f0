"""Counts are correct after the job, wherever the dirty flags were and even if they were lost."""

from collections.abc import Callable

import pytest
from django.db import OperationalError

from applications.models import Application
from chats.models import Chat
from ingest import redis_keys
from ingest.idempotent_insert import store_rows
from ingest.models import CountState, NumberAuthority, Source
from ingest.numbering.authority import begin_epoch, read_authority
from ingest.post_commit import finish_queued
from operations import counts
from operations.counts import take_flags
from tests.api.client import Api
from tests.pipeline.backlog import Backlog
from tests.redis_server import RedisServer
from tests.shards import ONLY


@pytest.fixture
def chat(api: Api, backlog: Backlog) -> str:
    """A stored chat whose counts are true."""
    chat = api.new_chat()
    backlog.work()
    counts.reconcile()
    return chat


def messages_counts() -> list[int]:
    return list(Chat.objects.order_by("pk").values_list("messages_count", flat=True))


def no_flags(backlog: Backlog) -> bool:
    in_redis = backlog.redis.keys("dirty:*")
    parents: tuple[type[Application | Chat], ...] = (Application, Chat)
    in_database = [
        parent._default_manager.exclude(count_state=CountState.CURRENT).count()
        for parent in parents
    ]
    return not in_redis and not any(in_database)


def test_a_commit_flags_its_parents_in_redis_and_the_job_takes_them_over(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, "x", "y")
    backlog.work()
    assert messages_counts() == [0]
    assert not Chat.objects.filter(count_state=CountState.CHANGED).exists()

    tallies = counts.reconcile()

    assert messages_counts() == [2]
    assert tallies["messages_count"].counted == 1
    assert Application.objects.get().chats_count == 1
    assert no_flags(backlog)


def test_a_message_that_is_stored_before_its_chat_is_counted(api: Api, backlog: Backlog) -> None:
    api.say(api.new_chat(), "x")
    backlog.work(lambda row: row.record_type.name == "messages")
    counts.reconcile()
    backlog.work()

    counts.reconcile()

    assert messages_counts() == [1]
    assert no_flags(backlog)


@pytest.mark.parametrize("redis_is_away", [False, True])
def test_what_is_stored_while_the_job_counts_stays_flagged(
    api: Api,
    backlog: Backlog,
    chat: str,
    monkeypatch: pytest.MonkeyPatch,
    redis_is_away: bool,
) -> None:
    def say_more(*_: object) -> dict[int, int]:
        monkeypatch.undo()
        if redis_is_away:
            backlog.server.kill()
        backlog.work()
        return {}

    api.say(chat, "x")
    backlog.work()
    api.say(chat, "y")
    monkeypatch.setattr(counts, "wrong_counts", say_more)
    counts.reconcile()

    counts.reconcile()

    assert messages_counts() == [2]


def test_without_redis_the_flags_are_set_in_the_database(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, "x")
    backlog.server.kill()
    backlog.work()
    assert Chat.objects.get().count_state == CountState.CHANGED

    counts.reconcile()

    assert messages_counts() == [1]


def test_a_run_that_died_with_the_flags_in_its_hand_loses_none(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError(2013, "Lost connection")

    api.say(chat, "x")
    backlog.work()
    with monkeypatch.context() as patch:
        patch.setattr(counts, "flag_in_database", fail)
        with pytest.raises(OperationalError):
            counts.reconcile()
    other = api.new_chat()
    backlog.work()
    api.say(other, "x", "y")
    backlog.work()
    assert backlog.redis.exists(
        redis_keys.dirty_taken(ONLY, "chats"), redis_keys.dirty_taken(ONLY, "messages")
    )

    counts.reconcile()

    assert messages_counts() == [1, 2]
    assert no_flags(backlog)


def test_flags_are_taken_in_batches_and_each_is_taken(
    backlog: Backlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.counts.FLAG_BATCH", 7)
    backlog.redis.sadd(
        redis_keys.dirty(ONLY, "messages"), *(f"token/{number}" for number in range(50))
    )

    batches = [list(batch) for batch in take_flags(ONLY, "messages")]

    assert max(map(len, batches)) <= 7
    assert {parent[1] for batch in batches for parent in batch} == set(range(50))
    assert not backlog.redis.keys("dirty:*")


def test_lost_flags_are_made_up_for_by_counting_everything_once(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, "x")
    backlog.work()
    backlog.redis.flushall()
    NumberAuthority.objects.update(needs_full_count=True)

    counts.reconcile()

    assert messages_counts() == [1]
    assert not read_authority(ONLY).needs_full_count
    assert counts.reconcile()["messages_count"].counted == 0


@pytest.mark.parametrize(
    "lose", [RedisServer.wipe_at_once, lambda server: server.client().flushall()]
)
def test_flags_that_were_lost_before_anybody_noticed_are_made_up_for(
    api: Api, backlog: Backlog, chat: str, lose: Callable[[RedisServer], None]
) -> None:
    api.say(chat, "x")
    backlog.work()
    lose(backlog.server)

    counts.reconcile()

    assert messages_counts() == [1]


def test_flags_that_are_lost_while_everything_is_counted_are_made_up_for_by_the_next_run(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_again(*_: object) -> dict[int, int]:
        monkeypatch.undo()
        begin_epoch(read_authority(ONLY), Source.REDIS, "lost again")
        return {}

    NumberAuthority.objects.update(needs_full_count=True)
    monkeypatch.setattr(counts, "wrong_counts", lose_again)

    counts.reconcile()

    assert read_authority(ONLY).needs_full_count


def test_a_dry_run_knows_of_the_flags_in_redis(api: Api, backlog: Backlog, chat: str) -> None:
    api.say(chat, "x")
    backlog.work()

    assert counts.reconcile(dry_run=True)["messages_count"].corrected == 1
    assert messages_counts() == [0]


def test_the_job_goes_on_without_redis(api: Api, backlog: Backlog, chat: str) -> None:
    backlog.server.kill()
    Chat.objects.update(messages_count=5, count_state=CountState.CHANGED)

    counts.reconcile()

    assert messages_counts() == [0]


@pytest.mark.parametrize("crash", [store_rows, finish_queued])
def test_a_redelivery_after_a_crash_flags_what_the_crash_left_out(
    api: Api, backlog: Backlog, chat: str, crash: Callable[..., None]
) -> None:
    """Killed after the commit, or after settling."""
    api.say(chat, "x")
    store_rows(backlog.rows)
    if crash is finish_queued:
        finish_queued(backlog.rows)

    backlog.work()
    counts.reconcile()

    assert messages_counts() == [1]
    assert backlog.pending() == {}


def test_a_redis_out_of_memory_still_lets_go_of_what_is_stored(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, *"x" * 20)
    backlog.redis.config_set("maxmemory", 1)

    backlog.work()

    assert backlog.pending() == {}
    backlog.redis.config_set("maxmemory", 0)
    counts.reconcile()
    assert messages_counts() == [20]
