"""Idempotency keys with numbers from Redis: while queued, once stored, and after data loss."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pytest
from django.core.management import call_command
from django.utils import timezone

from infra import database
from infra.rabbitmq.connection import BrokerUnavailable
from ingest import commit, database_numbers, earlier_keys, redis_numbers
from ingest.earlier_keys import StillQueued
from ingest.group_commit import GroupCommit
from ingest.idempotency import IdempotentRequest, KeyReused, RequestKey, records
from ingest.idempotent_insert import store_rows
from ingest.models import DeadLetter, IdempotencyKey, NumberAuthority, Source
from ingest.numbering.authority import take_over_for_database
from ingest.numbering.fencing import begin_epochs_by_hand
from ingest.records import NumberedRow
from ingest.submission import Submission
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.idempotency.test_repeats import ROUTES, send
from tests.live.servers import eventually
from tests.lost_connection import lose_connection_once
from tests.pipeline.backlog import Backlog, stored
from tests.rows import new_message
from tests.shards import ONLY


def digest(text: str) -> str:
    return uuid5(NAMESPACE_OID, text).hex


KEYED = [route for route in ROUTES if route != "applications"]


def say(api: Api, chat: str, key: str = "a-key", body: str = "x") -> Any:
    return send(api, f"{chat}/messages", {"body": body}, key)


@pytest.mark.parametrize("worked", [False, True], ids=["pending", "stored"])
@pytest.mark.parametrize("route", KEYED)
def test_a_repeat_gets_the_first_answer_from_redis(
    api: Api, backlog: Backlog, chat: str, route: str, worked: bool
) -> None:
    path, body, other = ROUTES[route]
    first = send(api, path(chat), body)
    if worked:
        backlog.work()

    again = send(api, path(chat), body)

    assert (again.status_code, again.json()) == (201, first.json())
    assert again["Idempotency-Replayed"] == "true"
    assert_problem(send(api, path(chat), other), 422)
    backlog.work()
    assert IdempotencyKey.objects.count() == 1


@pytest.mark.stack
def test_a_connection_that_was_closed_costs_no_request_with_a_key(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when another server becomes the one that is written to."""
    begin_epochs_by_hand("a test")
    NumberAuthority.objects.update(is_drained=True)
    backlog.pipeline._agent.refresh()
    looks = lose_connection_once(records, "any_key_from_before", monkeypatch)

    assert say(api, chat).status_code == 201
    assert looks() == 2
    assert not database.database_breaker().is_open


@pytest.mark.stack
def test_a_connection_that_was_closed_costs_no_block_of_numbers(
    api: Api, backlog: Backlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = api.new_application()
    attempts = lose_connection_once(redis_numbers, "_provide_blocks", monkeypatch)

    assert api.post(f"{application}/chats", {"name": "first"}).status_code == 201
    assert attempts() == 2
    assert not database.database_breaker().is_open


def test_a_key_is_forgotten_by_redis_after_a_day(api: Api, backlog: Backlog, chat: str) -> None:
    say(api, chat)

    [name] = backlog.redis.keys("request:*")
    assert 86_000 < backlog.redis.ttl(name) <= 86_400


def test_repeats_within_one_group_are_one(api: Api, backlog: Backlog, chat: str) -> None:
    token = chat.split("/")[2]

    def submission(key: str, fingerprint: str, *bodies: str) -> Submission:
        rows = [new_message(token, 1, body) for body in bodies]
        return Submission(rows, IdempotentRequest(RequestKey(digest(key), digest(fingerprint))))

    group = [
        submission("a", "1", "x", "y"),
        submission("b", "1", "x"),
        submission("a", "1", "x", "y"),
        submission("a", "2", "z"),
        Submission([new_message(token, 1, "w")]),
        submission("b", "1", "x"),
    ]

    outcomes = backlog.pipeline.commit(group)

    numbers = [
        None if isinstance(rows, KeyReused) else [row.number for row in rows]  # type: ignore[union-attr]
        for rows in outcomes
    ]
    assert numbers == [[1, 2], [3], [1, 2], None, [4], [3]]
    assert [one.request and one.request.is_repeat for one in group] == [
        False, False, True, False, None, True,
    ]  # fmt: skip
    backlog.work()
    assert stored() == [1, 2, 3, 4]


def test_a_repeat_whose_turn_comes_after_numbers_have_moved_to_redis(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = IdempotentRequest(RequestKey(digest("a"), digest("1")))
    group = [Submission([new_message(chat.split("/")[2], 1, "x")], request) for _ in range(2)]
    agent = backlog.pipeline._agent
    take_over_for_database(ONLY, agent.authority(ONLY).generation.epoch, "a test")
    NumberAuthority.objects.update(is_drained=True)
    agent.refresh()

    def then_moving(work: Callable[[], Any]) -> Any:
        outcome = database.in_transaction(work)
        monkeypatch.undo()
        begin_epochs_by_hand("a test")
        return outcome

    monkeypatch.setattr(database_numbers, "in_transaction", then_moving)

    first, repeat = backlog.pipeline.commit(group)
    while isinstance(repeat, StillQueued):
        [repeat] = backlog.pipeline.commit(group[1:])

    assert [row.number for row in first] == [row.number for row in repeat]  # type: ignore[union-attr]
    assert agent.authority(ONLY).source == Source.REDIS
    assert len(stored()) == 1


def test_a_repeat_completes_what_the_first_left_undone(
    api: Api, backlog: Backlog, chat: str
) -> None:
    first = say(api, chat).json()
    backlog.rows.clear()  # its process died between the number and the queue

    assert say(api, chat).json() == first

    backlog.work()
    assert stored() == [1]


@pytest.mark.parametrize("lost", ["a new epoch", "all data"])
def test_keys_of_stored_rows_outlive_redis(
    api: Api, backlog: Backlog, chat: str, lost: str
) -> None:
    first = say(api, chat).json()
    backlog.work()
    if lost == "all data":
        backlog.server.wipe_at_once()
    else:
        call_command("new_epoch")
        backlog.pipeline._agent.refresh()
        backlog.redis.delete(*backlog.redis.keys("request:*"))

    again = say(api, chat)

    assert (again.status_code, again.json()) == (201, first)
    assert_problem(say(api, chat, body="other"), 422)
    assert say(api, chat, "another-key").json()["message_number"] > 1


def test_a_process_that_has_seen_nothing_finds_out_that_redis_was_emptied(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = say(api, chat).json()
    backlog.work()
    newcomer = Backlog(backlog.server)
    monkeypatch.setattr(commit, "_at_once", GroupCommit(newcomer.pipeline.commit))
    backlog.redis.flushall()

    assert say(api, chat).json() == first

    newcomer.end_process()


@pytest.mark.parametrize("lost", ["Redis is away", "Redis is empty"])
def test_a_repeat_waits_while_its_row_may_be_queued(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    first = say(api, chat).json()
    if lost == "Redis is away":
        backlog.server.kill()
    else:
        backlog.server.wipe_at_once()
    other = api.say(chat, "without a key")
    with monkeypatch.context() as patch:
        patch.setattr(commit, "REQUEST_UNDECIDED_SECONDS", 0.5)

        refused = say(api, chat)

    assert_problem(refused, 503)
    assert refused["Retry-After"]
    backlog.work()
    again = say(api, chat)
    assert (again.status_code, again.json()) == (201, first)
    assert stored() == [first["message_number"], *other]


@pytest.mark.parametrize("found", [3, BrokerUnavailable("away")])
def test_a_new_key_waits_while_nobody_knows_what_is_queued(
    api: Api,
    backlog: Backlog,
    chat: str,
    monkeypatch: pytest.MonkeyPatch,
    found: int | BrokerUnavailable,
) -> None:
    def waiting(*queues: str) -> int:
        assert set(queues) == {"chats", "messages", "failed"}
        if isinstance(found, BrokerUnavailable):
            raise found
        return found

    backlog.server.wipe_at_once()
    with monkeypatch.context() as patch:
        patch.setattr(earlier_keys, "messages_waiting", waiting)
        patch.setattr(commit, "REQUEST_UNDECIDED_SECONDS", 0.5)
        assert_problem(say(api, chat), 503)

    assert say(api, chat).status_code == 201


def test_queues_count_as_empty_when_the_last_row_from_before_was_published_and_stored(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def nothing_waits(*_: str) -> int:
        looks.append(time.monotonic())
        return 0

    monkeypatch.setattr(earlier_keys, "messages_waiting", nothing_waits)
    monkeypatch.setattr(earlier_keys, "BROKER_CONFIRM_SECONDS", 0.8)
    monkeypatch.setattr(earlier_keys, "WORKER_HOLDS_SECONDS", 0.6)
    backlog.server.wipe_at_once()
    began = time.monotonic()

    assert say(api, chat).status_code == 201

    [look] = looks
    assert look - began >= 0.8
    assert time.monotonic() - look >= 0.6


Work = Callable[[Backlog, list[NumberedRow]], None]


def work_late_ones_first(backlog: Backlog, late: list[NumberedRow]) -> None:
    store_rows(late, drop_superseded=True)
    backlog.work()


def work_late_ones_afterwards(backlog: Backlog, late: list[NumberedRow]) -> None:
    backlog.work()
    store_rows(late, drop_superseded=True)


def work_all_together(backlog: Backlog, late: list[NumberedRow]) -> None:
    backlog.rows += late
    backlog.work()


@pytest.mark.parametrize(
    "work", [work_late_ones_first, work_late_ones_afterwards, work_all_together]
)
@pytest.mark.parametrize("bodies", ["x", "xyz"])
def test_a_row_that_comes_later_than_it_should_is_not_stored_beside_its_repeat(
    api: Api, backlog: Backlog, chat: str, bodies: str, work: Work
) -> None:
    def create() -> Any:
        messages = {"messages": [{"body": body} for body in bodies]}
        return send(api, f"{chat}/messages/bulk", messages, "a-key")

    assert create().status_code == 201
    late, backlog.rows[:] = backlog.rows[:], []
    backlog.server.wipe_at_once()
    other = api.say(chat, "without a key")
    backlog.work()

    again = create().json()
    work(backlog, late)

    assert again == create().json()
    assert len(again["results"]) == len(bodies)
    numbers = [one["message_number"] for one in again["results"]]
    assert stored() == [*other, *numbers]
    assert not DeadLetter.objects.exists()
    backlog.redis.flushall()
    assert create().json() == again


def test_a_row_that_only_redis_had_while_it_was_away_is_stored_beside_its_repeat(
    api: Api, backlog: Backlog, chat: str
) -> None:
    first = say(api, chat).json()["message_number"]
    backlog.server.kill()
    late, backlog.rows[:] = backlog.rows[:], []  # the broker has lost all data

    second = say(api, chat).json()["message_number"]

    store_rows(late)  # as the sweeper does when Redis is back
    assert stored() == sorted([first, second])
    assert IdempotencyKey.objects.get().first_number == second


def test_a_repeat_that_redis_knows_claims_nothing(api: Api, backlog: Backlog, chat: str) -> None:
    first = say(api, chat).json()
    backlog.rows.clear()  # the broker has lost all data
    call_command("new_epoch")
    backlog.pipeline._agent.refresh()

    assert say(api, chat).json() == first

    backlog.work()
    assert stored() == [first["message_number"]]
    assert IdempotencyKey.objects.get().first_number == first["message_number"]
    backlog.redis.flushall()
    assert say(api, chat).json() == first


def test_a_claim_is_the_earliest_of_rivals(api: Api, backlog: Backlog, chat: str) -> None:
    token = chat.split("/")[2]
    request, now = (token, RequestKey(digest("a"), digest("1"))), timezone.now()

    for seconds in (2, 0, 1):
        found = records.claim_or_find([(request, now + timedelta(seconds=seconds))])
        assert found == {} == records.find_records([request])

    assert IdempotencyKey.objects.get().accepted_at == now


def test_a_claim_of_which_nothing_came_hinders_nobody(
    api: Api, backlog: Backlog, chat: str
) -> None:
    call_command("new_epoch")
    backlog.pipeline._agent.refresh()
    first = say(api, chat)
    assert first.status_code == 201
    assert IdempotencyKey.objects.get().first_number is None
    backlog.rows.clear()  # the process died, and Redis with it
    backlog.server.kill()

    again = say(api, chat)

    assert again.status_code == 201
    assert IdempotencyKey.objects.get().first_number == again.json()["message_number"]


def test_keys_are_kept_while_the_database_gives_numbers_and_afterwards(
    api: Api, backlog: Backlog, chat: str
) -> None:
    before = say(api, chat, "before").json()
    backlog.work()
    backlog.server.kill()
    during = say(api, chat, "during").json()
    assert say(api, chat, "before").json() == before
    assert say(api, chat, "during").json() == during

    backlog.server.start()
    eventually(
        lambda: (
            api.get("/health/ready") and backlog.pipeline._agent.authority(ONLY).source == "redis"
        ),
        30,
        "Redis gives numbers again",
    )

    assert say(api, chat, "before").json() == before
    assert say(api, chat, "during").json() == during
    backlog.work()
    assert len(stored()) == 2


def test_without_the_database_a_key_that_only_it_may_know_has_to_wait(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(api, chat, "before")
    backlog.work()
    call_command("new_epoch")
    backlog.pipeline._agent.refresh()
    api.post(f"{chat}/messages", {"body": "has a block now"})
    with monkeypatch.context() as patch:
        patch.setattr(database.database_breaker(), "is_open", True)

        assert_problem(say(api, chat, "unknown"), 503)
        assert api.post(f"{chat}/messages", {"body": "no key"}).status_code == 201

    backlog.work()
    assert say(api, chat, "unknown").status_code == 201
