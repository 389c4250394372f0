"""Messages stay in the broker until they are acknowledged."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pytest_django import Settings

from infra.rabbitmq.connection import BrokerUnavailable
from ingest import queue_drain
from ingest.queue_drain import Delivery, QueueDrain
from tests.live.servers import eventually, free_port
from tests.pipeline.queue import TestQueue

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("broker")]


@pytest.fixture
def drain() -> Iterator[QueueDrain]:
    drain = QueueDrain()
    yield drain
    drain.drop()


def fill(queue: TestQueue, count: int) -> None:
    for number in range(count):
        queue.put_raw({}, str(number).encode())
    eventually(lambda: queue.ready() == count, 10, "the messages are in the queue")


def take(drain: QueueDrain, queue: TestQueue) -> Delivery:
    delivery = drain.fetch(queue.name)
    assert delivery is not None
    return delivery


def soon() -> float:
    """A limit for what is sure to come."""
    return time.monotonic() + 5


def test_messages_come_in_order_until_there_are_none(queue: TestQueue, drain: QueueDrain) -> None:
    fill(queue, 3)

    taken = [take(drain, queue) for _ in range(3)]

    assert [delivery.body for delivery in taken] == [b"0", b"1", b"2"]
    assert [delivery.attempts for delivery in taken] == [0, 0, 0]
    assert drain.fetch(queue.name) is None


def test_an_acknowledgement_is_for_all_before_it_and_none_behind(
    queue: TestQueue, drain: QueueDrain
) -> None:
    fill(queue, 3)
    taken = [take(drain, queue) for _ in range(3)]

    drain.acknowledge(taken[1])
    drain.drop()

    eventually(lambda: queue.ready() == 1, 10, "the last one is back")
    back = take(drain, queue)
    assert (back.body, back.attempts) == (b"2", 1)


def test_what_is_refused_alone_goes_to_the_dead_letters(
    queue: TestQueue, drain: QueueDrain
) -> None:
    fill(queue, 2)
    first, _ = take(drain, queue), take(drain, queue)

    drain.refuse(first)
    drain.drop()

    eventually(lambda: queue.dead_letters() == 1, 10, "the dead letter")
    eventually(lambda: queue.ready() == 1, 10, "the other is back")


def test_messages_that_are_sent_ahead_come_in_order_until_there_are_none(
    queue: TestQueue, drain: QueueDrain
) -> None:
    fill(queue, 10)

    drain.send_ahead(queue.name, 2)
    bodies: list[bytes] = []
    while len(bodies) < 10 and (delivery := drain.next(soon())):
        bodies.append(delivery.body)
        drain.acknowledge(delivery)

    assert bodies == [str(number).encode() for number in range(10)]
    assert drain.next(time.monotonic() + 0.01) is None
    fill(queue, 1)
    assert take(drain, queue).body == b"0"


def test_who_waits_for_what_is_sent_ahead_has_it_when_it_comes(
    queue: TestQueue, drain: QueueDrain
) -> None:
    drain.send_ahead(queue.name, 2)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(drain.next, soon())
        queue.put_raw({}, b"late")
        delivery = waiting.result()

    assert delivery is not None
    assert delivery.body == b"late"


def test_what_was_sent_ahead_when_that_ends_is_taken_and_the_rest_stays(
    queue: TestQueue, drain: QueueDrain
) -> None:
    fill(queue, 10)
    drain.send_ahead(queue.name, 4)
    taken = [drain.next(soon())]
    eventually(lambda: queue.ready() == 6, 10, "four are sent ahead")

    while taken[-1]:
        taken.append(drain.next(0))

    held = [delivery for delivery in taken if delivery]
    assert [delivery.body for delivery in held] == [b"0", b"1", b"2", b"3"]
    drain.acknowledge(held[-1])
    drain.drop()
    eventually(lambda: queue.ready() == 6, 10, "the rest is there")


def test_what_was_sent_ahead_is_back_when_the_connection_breaks(
    queue: TestQueue, drain: QueueDrain
) -> None:
    fill(queue, 3)
    drain.send_ahead(queue.name, 3)
    assert drain.next(soon())
    drain._channel.connection.transport.close()

    while drain.next(soon()):
        pass

    eventually(lambda: queue.ready() == 3, 10, "all are back")


def test_a_broken_connection_is_replaced_and_its_messages_come_back(
    queue: TestQueue, drain: QueueDrain
) -> None:
    fill(queue, 2)
    held = take(drain, queue)
    assert drain._connection is not None
    drain._connection.connection.transport.close()

    with pytest.raises(BrokerUnavailable):
        drain.fetch(queue.name)
    drain.acknowledge(held)

    eventually(lambda: queue.ready() == 2, 10, "both are back")
    assert take(drain, queue).body == b"0"


def test_an_acknowledgement_never_hits_a_message_of_a_later_connection(
    queue: TestQueue, drain: QueueDrain
) -> None:
    fill(queue, 2)
    before = take(drain, queue)
    drain.drop()
    eventually(lambda: queue.ready() == 2, 10, "it is back")
    take(drain, queue)

    drain.acknowledge(before)
    drain.refuse(before)
    drain.drop()

    eventually(lambda: queue.ready() == 2, 10, "both are there")


def test_a_connection_that_was_idle_is_not_trusted(
    queue: TestQueue, drain: QueueDrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(queue, 2)
    first = take(drain, queue)
    monkeypatch.setattr(queue_drain, "BROKER_IDLE_SECONDS", 0)

    assert take(drain, queue).channel is not first.channel


def test_a_held_message_stays_held_while_the_connection_is_kept_alive(
    queue: TestQueue, drain: QueueDrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_drain, "BROKER_HEARTBEAT_SECONDS", 1)
    fill(queue, 1)
    held = take(drain, queue)
    assert drain._connection is not None
    sent = drain._connection.connection.bytes_sent

    def has_sent_a_heartbeat() -> bool:
        drain.stay_alive()
        return bool(drain._channel.connection.bytes_sent > sent)

    eventually(has_sent_a_heartbeat, 5, "a heartbeat")

    drain.acknowledge(held)
    drain.drop()
    assert queue.ready() == 0


def test_nothing_is_taken_from_a_broker_that_is_away(drain: QueueDrain, settings: Settings) -> None:
    nobody = {"broker_url": f"amqp://127.0.0.1:{free_port()}//"}
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=nobody)

    with pytest.raises(BrokerUnavailable):
        drain.fetch("whatever")
    drain.send_ahead("whatever", 1)
    assert drain.next(soon()) is None
