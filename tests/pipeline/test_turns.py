"""A worker stores a backlog batch by batch until the other queue's turn comes."""

import math
from collections.abc import Iterator, Sequence

import orjson
import pytest

from ingest import writer
from ingest.idempotent_insert import store_one_by_one
from ingest.message_format import write_message
from ingest.post_commit import finish_queued
from ingest.queue_drain import SUSPECT_AFTER
from ingest.records import NumberedRow
from tests.live.servers import eventually
from tests.pipeline.backlog import stored
from tests.pipeline.queue import TestQueue
from tests.rows import new_message

pytestmark = [
    pytest.mark.stack,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker"),
]

TOKEN = "c" * 24
OF_MESSAGE = 5
MESSAGES = 20


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two messages fill a batch; one was stored just before, and nothing is held afterwards."""
    monkeypatch.setattr(writer, "_stored_at", math.inf)
    monkeypatch.setattr(writer, "MAX_BATCH_ROWS", 2 * OF_MESSAGE)
    monkeypatch.setattr(writer, "MAX_BATCH_MESSAGES", 2)
    yield
    writer._drain.drop()


def message(place: int) -> list[NumberedRow]:
    """The rows of the message at this place."""
    first = place * OF_MESSAGE + 1
    numbers = range(first, first + OF_MESSAGE)
    return [new_message(TOKEN, 1, f"message {number}").numbered(number) for number in numbers]


def put(queue: TestQueue, places: Sequence[int]) -> None:
    queue.put(*map(message, places))
    eventually(lambda: queue.ready() == queue.published, 10, "the messages are in the queue")


def run(queue: TestQueue, rows: Sequence[NumberedRow]) -> None:
    """The task of a message with these rows."""
    [envelope], _, _ = orjson.loads(write_message(rows)[1])
    writer.store_queued_rows.apply((envelope,), routing_key=queue.name, throw=True)


def numbers(messages: int) -> list[int]:
    return list(range(1, messages * OF_MESSAGE + 1))


def test_one_task_works_off_a_backlog_of_many_batches(queue: TestQueue) -> None:
    put(queue, range(1, MESSAGES))

    run(queue, message(0))

    assert stored() == numbers(MESSAGES)
    writer._drain.drop()
    assert queue.ready() == 0


def test_the_first_message_after_a_pause_is_stored_at_once_and_the_next_ones_together(
    queue: TestQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_stored_at", -math.inf)
    put(queue, range(2, MESSAGES))

    run(queue, message(0))

    assert stored() == numbers(1)
    assert queue.ready() == MESSAGES - 2
    monkeypatch.setattr(writer, "_stored_at", math.inf)  # as if no time had passed

    run(queue, message(1))

    assert stored() == numbers(MESSAGES)


def test_when_its_turn_is_over_it_stores_what_it_holds_and_leaves_the_rest(
    queue: TestQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "TURN_SECONDS", 0.0)
    put(queue, range(1, MESSAGES))

    run(queue, message(0))

    writer._drain.drop()
    left = queue.ready()
    assert MESSAGES / 2 < left < MESSAGES - 2
    assert stored() == numbers(MESSAGES - left)


def test_when_its_worker_is_to_end_it_stores_what_it_holds_and_leaves_the_rest(
    queue: TestQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.worker_shutdown.wait_for_shutdown", lambda _: True)
    put(queue, range(1, MESSAGES))

    run(queue, message(0))

    writer._drain.drop()
    assert stored() == numbers(MESSAGES - queue.ready())


def test_what_may_kill_goes_alone_also_in_the_midst_of_a_backlog(
    queue: TestQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone: list[Sequence[NumberedRow]] = []

    def store(rows: Sequence[NumberedRow]) -> None:
        alone.append(rows)
        store_one_by_one(rows)

    monkeypatch.setattr(writer, "store_one_by_one", store)
    put(queue, range(1, 10))
    headers, body = write_message(message(10))
    queue.put_raw({**headers, "x-delivery-count": SUSPECT_AFTER}, body)
    put(queue, range(11, MESSAGES))

    run(queue, message(0))

    assert stored() == numbers(MESSAGES)
    assert [[row.number for row in rows] for rows in alone] == [[row.number for row in message(10)]]
    writer._drain.drop()
    assert queue.ready() == 0


def test_a_connection_that_breaks_in_the_midst_of_a_backlog_loses_nothing(
    queue: TestQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(queue, range(1, MESSAGES))
    calls = iter(range(MESSAGES))

    def settle_and_cut(rows: Sequence[NumberedRow]) -> None:
        finish_queued(rows)
        if next(calls) == 3:
            writer._drain._channel.connection.transport.close()

    monkeypatch.setattr(writer, "finish_queued", settle_and_cut)

    def all_are_stored() -> bool:
        run(queue, message(0))
        return stored() == numbers(MESSAGES)

    eventually(all_are_stored, 10, "what was held came again")
    writer._drain.drop()
    assert queue.ready() == 0
