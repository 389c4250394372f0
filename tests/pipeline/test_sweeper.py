"""The sweeper stores rows whose messages were lost, and leaves queued rows to the workers."""

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from chats.models import Chat
from infra.jobs import JobIsRunning, only_run
from ingest import redis_keys, sweeper
from ingest.models import DeadLetter
from ingest.sweeper import sweep
from messages_app.models import Message
from tests.api.client import Api
from tests.pipeline.backlog import Backlog, stored
from tests.shards import ONLY


def test_rows_older_than_a_minute_are_stored_and_younger_ones_are_not(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, *"abcde")
    backlog.grow_old(61, lambda number: number <= 3)
    queued = len(backlog.rows)

    swept = sweep()

    assert (swept.stored, swept.set_aside, swept.left) == (3, 0, 0)
    assert stored() == [1, 2, 3]
    assert [len(members) for members in backlog.pending().values()] == [2]
    assert len(backlog.rows) == queued
    backlog.work()
    assert stored() == [1, 2, 3, 4, 5]
    assert backlog.pending() == {}


def test_a_chat_and_its_messages_are_swept_together(api: Api, backlog: Backlog) -> None:
    chat = api.new_chat()
    api.say(chat, *"abc")
    backlog.grow_old(61)

    assert sweep().stored == 4

    assert api.get(f"{chat}/messages/3").json()["body"] == "c"
    assert backlog.pending() == {}
    backlog.work()
    assert (Chat.objects.count(), stored()) == (1, [1, 2, 3])


def test_many_rows_of_many_chats_are_swept_in_batches(
    api: Api, backlog: Backlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in {"PARENTS": 3, "FIRST_ROWS": 2, "FURTHER_ROWS": 3, "MAX_ROWS": 4}.items():
        monkeypatch.setattr(sweeper, name, size)
    application = api.new_application()
    said = 0
    for count in (1, 2, 3, 9, 0, 5, 2, 17):
        chat = api.new_chat(application)
        api.say(chat, *"x" * count)
        said += count
    backlog.grow_old(61)

    assert sweep().stored == said + 8

    assert (len(stored()), Chat.objects.count()) == (said, 8)
    assert backlog.pending() == {}


def test_what_the_workers_are_coming_to_is_left_to_them(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, *"abcd")
    backlog.grow_old(300, lambda number: number <= 2)
    backlog.grow_old(120, lambda number: number > 2)
    backlog.work(lambda row: row.number == 2)

    swept = sweep()

    assert stored() == [1, 2]
    assert (swept.stored, swept.left) == (1, 1)
    backlog.redis.delete(redis_keys.progress(ONLY, "messages"))
    assert sweep().stored == 2
    assert stored() == [1, 2, 3, 4]


def test_what_is_left_to_the_workers_hides_no_others(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "PARENTS", 1)
    api.say(chat, "x")
    other = api.new_chat()
    backlog.grow_old(90)
    backlog.redis.set(redis_keys.progress(ONLY, "messages"), 1)

    swept = sweep()

    assert (swept.stored, swept.left) == (1, 1)
    assert api.get(other).status_code == 200
    assert Chat.objects.count() == 2


def test_the_sweeper_s_own_work_does_not_hold_it_up(api: Api, backlog: Backlog, chat: str) -> None:
    api.say(chat, *"ab")
    backlog.grow_old(300, lambda number: number == 1)
    sweep()
    backlog.grow_old(90)

    assert sweep().stored == 1
    assert not backlog.redis.exists(redis_keys.progress(ONLY, "messages"))


def test_progress_is_by_the_clock_of_redis(api: Api, backlog: Backlog, chat: str) -> None:
    api.say(chat, *"ab")
    backlog.grow_old(5000)
    [first, _] = backlog.pending()[Chat.objects.get().application_token + "/1"]

    backlog.work(lambda row: row.number == 1)

    assert backlog.redis.get(redis_keys.progress(ONLY, "messages")) == first.split(b" ")[1]
    assert 0 < int(backlog.redis.ttl(redis_keys.progress(ONLY, "messages"))) <= 30


def test_the_index_is_put_right(api: Api, backlog: Backlog, chat: str) -> None:
    api.say(chat, "x")
    name = f"{Chat.objects.get().application_token}/1"
    young = backlog.redis.zscore(redis_keys.pending_parents(ONLY), name)
    backlog.redis.zadd(redis_keys.pending_parents(ONLY), {name: 1, "nothing/1": 1})

    sweep()

    assert backlog.redis.zrange(redis_keys.pending_parents(ONLY), 0, -1, withscores=True) == [
        (name.encode(), young)
    ]


def test_what_cannot_be_read_is_set_aside_and_takes_nothing_with_it(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, *"ab")
    pending = redis_keys.pending(f"{Chat.objects.get().application_token}/1")
    backlog.grow_old(61)
    rubbish = [b"7 1 [1, 2]", b"8 1 {", b"\xff", b'9 1 [1, "no uuid", ["x"], null]']
    for score, member in enumerate(rubbish, start=3):
        backlog.redis.zadd(pending, {member: score})
    shown = api.get(f"{chat}/messages").json()["results"]
    assert [message["message_number"] for message in shown] == [1, 2]

    swept = sweep()

    assert (swept.stored, swept.set_aside) == (2, 4)
    assert DeadLetter.objects.count() == 4
    assert backlog.pending() == {}
    assert sweep().set_aside == 0


def test_a_row_that_cannot_be_stored_is_set_aside_and_the_others_are_stored(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, *"abc")
    backlog.grow_old(61)
    Message.objects.create(
        application_token=Chat.objects.get().application_token,
        chat_number=1,
        message_number=2,
        body="a stranger",
        created_at=timezone.now(),
        updated_at=timezone.now(),
    )

    sweep()

    assert stored() == [1, 2, 3]
    assert DeadLetter.objects.get().key[-1] == 2
    assert backlog.pending() == {}


def test_without_the_database_the_rows_stay_pending(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise OperationalError(2013, "Lost connection")

    api.say(chat, "x")
    backlog.grow_old(61)
    with monkeypatch.context() as patch:
        patch.setattr(sweeper, "store_rows", fail)
        with pytest.raises(OperationalError):
            sweep()
        with pytest.raises(CommandError, match="database"):
            call_command("sweep")

    assert sweep().stored == 1


def test_rows_that_came_back_with_an_old_redis_are_dropped(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, *"ab")
    backlog.grow_old(61)
    backlog.server.take_copy()
    backlog.work()
    api.put(f"{chat}/messages/1", {"body": "edited"})
    backlog.server.put_back_copy()

    sweep()

    assert api.get(f"{chat}/messages/1").json()["body"] == "edited"
    assert (stored(), DeadLetter.objects.count()) == ([1, 2], 0)
    assert backlog.pending() == {}


def test_one_sweep_at_a_time(backlog: Backlog) -> None:
    with only_run(sweeper.JOB), pytest.raises(JobIsRunning):
        sweep()


def test_a_long_sweep_ends_and_the_next_goes_on(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.say(chat, "x")
    backlog.grow_old(61)
    monkeypatch.setattr(sweeper, "PARENTS", 1)
    monkeypatch.setattr(sweeper, "LIMIT_SECONDS", 0)

    swept = sweep()

    assert (swept.stored, swept.is_complete, swept.is_drained) == (1, False, True)


def test_a_parent_with_more_than_there_is_time_for_is_left_to_the_next(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.say(chat, *"abcde")
    backlog.grow_old(61)
    monkeypatch.setattr(sweeper, "MAX_ROWS", 2)
    monkeypatch.setattr(sweeper, "LIMIT_SECONDS", 0)

    stored = [(swept.stored, swept.is_complete) for swept in (sweep(), sweep(), sweep())]

    assert [count for count, _ in stored] == [2, 2, 1]
    assert [is_complete for _, is_complete in stored[:2]] == [False, False]
