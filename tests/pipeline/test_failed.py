"""Messages that the broker dead-lettered are taken over, as rows or as raw payloads."""

import json
from base64 import b64decode
from collections.abc import Sequence
from contextlib import suppress

import pytest
from django.db import OperationalError
from pytest_django import Settings

from infra.models import Job
from infra.rabbitmq.connection import BrokerUnavailable
from infra.rabbitmq.publisher import task_message
from infra.rabbitmq.queues import DELIVERY_LIMIT
from ingest.dead_letters import consumer
from ingest.dead_letters.replay import StillSetAside, replay
from ingest.message_format import write_message
from ingest.models import DeadLetter
from ingest.queue_drain import SUSPECT_AFTER
from ingest.records import NumberedRow
from messages_app.models import Message
from tests.live.servers import eventually, free_port
from tests.pipeline.queue import TestQueue
from tests.rows import new_message

pytestmark = [
    pytest.mark.stack,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker"),
]

TOKEN = "b" * 24


def messages(*numbers: int, token: str = TOKEN) -> list[NumberedRow]:
    return [new_message(token, 1, f"message {number}").numbered(number) for number in numbers]


def stored() -> list[int]:
    return sorted(Message.objects.values_list("message_number", flat=True))


def test_rows_are_stored_and_those_that_cannot_be_are_kept_one_by_one(queue: TestQueue) -> None:
    [refused] = messages(3, token="too long for its column" * 2)
    queue.put([*messages(1, 2), refused])
    queue.refuse_all()

    assert consumer.consume_failed(queue.failed) == 1

    assert (stored(), queue.dead_letters()) == ([1, 2], 0)
    letter = DeadLetter.objects.get()
    assert (letter.kind, letter.queue) == ("messages", "messages")
    assert letter.acceptance.hex == refused.acceptance


def test_what_cannot_be_read_is_kept_as_it_is(queue: TestQueue) -> None:
    headers, body = write_message(messages(1))
    queue.put_raw(headers, b"\xff nonsense")
    queue.put_raw(headers, body.replace(b'"format":1', b'"format":9999'))
    queue.refuse_all()

    assert consumer.consume_failed(queue.failed) == 2

    nonsense, future = DeadLetter.objects.order_by("pk")
    assert (nonsense.kind, nonsense.queue) == ("message", queue.name)
    assert b64decode(nonsense.payload["body"]) == b"\xff nonsense"
    assert nonsense.payload["headers"] == {"task": headers["task"], "id": headers["id"]}
    assert "format 9999" in future.reason
    with pytest.raises(StillSetAside):
        replay(future)
    assert (stored(), queue.dead_letters()) == ([], 0)


def test_a_message_that_fails_twice_is_one_letter(queue: TestQueue) -> None:
    headers, _ = write_message(messages(1))
    queue.put_raw(headers, b"nonsense")
    queue.put_raw(headers, b"nonsense")
    queue.refuse_all()

    assert consumer.consume_failed(queue.failed) == 2

    assert DeadLetter.objects.count() == 1


def test_a_message_whose_rows_are_stored_by_now_leaves_nothing(queue: TestQueue) -> None:
    rows = messages(1, 2)
    queue.put(rows, rows)
    queue.refuse_all()

    assert consumer.consume_failed(queue.failed) == 2

    assert stored() == [1, 2]
    assert not DeadLetter.objects.exists()
    assert consumer.consume_failed(queue.failed) == 0


DEEP = json.loads("[" * 900 + "]" * 900)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, "yesterday"),
        (1, "no acceptance"),
        (2, 7),
        (0, DEEP),
        (2, [7]),
        (2, DEEP),
        (3, DEEP),
        (3, [1, 1, None]),
    ],
)
def test_a_message_with_values_that_are_none_is_kept(
    queue: TestQueue, place: int, value: object
) -> None:
    headers, body = write_message(messages(1))
    document = json.loads(body)
    document[0][0]["ranges"][0][2][0][place] = value
    queue.put_raw(headers, json.dumps(document).encode())
    queue.refuse_all()

    consumer.consume_failed(queue.failed)

    assert DeadLetter.objects.get().kind == "message"
    assert (stored(), queue.dead_letters()) == ([], 0)


def test_rows_that_kill_who_stores_them_are_set_aside_untried(
    queue: TestQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.put(messages(1, 2))
    queue.refuse_all()

    deaths = 0

    def die(_: Sequence[NumberedRow]) -> None:
        nonlocal deaths
        deaths += 1
        raise SystemExit

    def is_taken_over() -> bool:
        eventually(lambda: queue.dead_letters() == 1, 10, "it is there")
        with suppress(SystemExit):
            return consumer.consume_failed(queue.failed) == 1
        return False

    with monkeypatch.context() as killing:
        killing.setattr(consumer, "store_one_by_one", die)
        eventually(is_taken_over, 10, "it is set aside")

    # Servers differ in whether they count the refusal as well.
    assert deaths in {SUSPECT_AFTER, SUSPECT_AFTER + 1}
    assert (stored(), queue.dead_letters()) == ([], 0)
    assert DeadLetter.objects.count() == 2
    replay(DeadLetter.objects.order_by("pk")[0])
    assert stored() == [1]


def test_rows_that_were_handed_out_too_often_are_tried_all_the_same(queue: TestQueue) -> None:
    queue.put(messages(1, 2))
    for _ in range(DELIVERY_LIMIT + 1):
        queue.take_in_vain()

    eventually(lambda: queue.dead_letters() == 1, 10, "the limit is exceeded")
    assert consumer.consume_failed(queue.failed) == 1

    assert stored() == [1, 2]
    assert not DeadLetter.objects.exists()


def test_a_message_stays_however_often_it_is_taken_in_vain(
    queue: TestQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers, _ = write_message(messages(1))
    queue.put_raw(headers, b"\xff nonsense")
    queue.refuse_all()

    def fail(*_: object) -> None:
        raise OperationalError(1021, "Disk full")

    with monkeypatch.context() as failing:
        failing.setattr(consumer, "keep", fail)
        for _ in range(DELIVERY_LIMIT + 2):
            eventually(lambda: queue.dead_letters() == 1, 10, "it is back")
            with pytest.raises(OperationalError):
                consumer.consume_failed(queue.failed)

    eventually(lambda: queue.dead_letters() == 1, 10, "it is back")
    assert consumer.consume_failed(queue.failed) == 1
    assert DeadLetter.objects.get().kind == "message"


def test_scheduled_work_that_expired_is_dropped(queue: TestQueue) -> None:
    queue.put_raw(*task_message("operations.tasks.sweep"), expires=0.05)
    eventually(lambda: queue.dead_letters() == 1, 10, "it expires")

    assert consumer.consume_failed(queue.failed) == 1

    assert queue.dead_letters() == 0
    assert not DeadLetter.objects.exists()


def test_scheduled_work_that_was_refused_is_dropped(queue: TestQueue) -> None:
    queue.put_raw(*task_message("operations.tasks.sweep"))
    queue.put_raw(*task_message("operations.tasks.of_a_later_version"))
    queue.refuse_all()

    assert consumer.consume_failed(queue.failed, scheduled=queue.name) == 2

    assert queue.dead_letters() == 0
    assert not DeadLetter.objects.exists()


def test_what_is_no_scheduled_work_is_kept_wherever_it_came_from(queue: TestQueue) -> None:
    queue.put_raw({}, b"no task")
    queue.refuse_all()
    consumer.consume_failed(queue.failed, scheduled=queue.name)
    queue.published = 0
    queue.put_raw(*task_message("core.accept.tasks.of_a_later_version", 1))
    queue.refuse_all()
    consumer.consume_failed(queue.failed)

    assert DeadLetter.objects.count() == 2


def test_without_the_broker_nobody_says_that_all_is_taken_over(settings: Settings) -> None:
    nobody = {"broker_url": f"amqp://127.0.0.1:{free_port()}//"}
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=nobody)

    with pytest.raises(BrokerUnavailable):
        consumer.consume_failed()

    assert Job.objects.get(name=consumer.CONSUME_JOB).finished_at is None
