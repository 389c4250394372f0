"""A publish that returns is durable; any doubt raises an error soon."""

import os
import time
from collections.abc import Iterator

import pytest
from amqp.exceptions import PreconditionFailed
from pytest_django import Settings

from infra.rabbitmq.connection import BrokerUnavailable, messages_waiting
from infra.rabbitmq.publisher import Publisher, try_to_publish
from infra.rabbitmq.queues import PROBE, failed_queue, work_queue
from ingest.message_format import write_message
from tests.live.servers import eventually, free_port
from tests.pipeline.proxy import Proxy, through
from tests.pipeline.queue import TestQueue
from tests.rows import new_message

pytestmark = [
    pytest.mark.stack,
    # py-amqp leaves a socket whose handshake failed to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

WITHIN_S = 20


@pytest.fixture
def proxy(broker_proxy: Proxy, settings: Settings) -> Proxy:
    """The way that this process goes to the stack's broker."""
    url = {"broker_url": through(broker_proxy, os.environ["BROKER_URL"])}
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=url)
    return broker_proxy


@pytest.fixture
def publisher(
    proxy: Proxy, queue: TestQueue, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Publisher]:
    """One that knows of the test's queue alone."""
    queues = (work_queue(queue.name, queue.failed), failed_queue(queue.failed))
    monkeypatch.setattr("infra.rabbitmq.connection.QUEUES", queues)
    publisher = Publisher()
    yield publisher
    proxy.thaw()
    eventually(lambda: is_well(publisher), WITHIN_S, "no probe is left")
    publisher._drop()


def publish(publisher: Publisher, queue: TestQueue, number: int = 1) -> None:
    publisher.publish(queue.name, *write_message([new_message("c" * 24, 1, "x").numbered(number)]))


def is_well(publisher: Publisher) -> bool:
    return not publisher.breaker.is_open


def test_a_message_that_is_too_large_keeps_no_other_from_its_queue(
    publisher: Publisher, queue: TestQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PreconditionFailed("message size 20000000 is larger than configured max size")

    with monkeypatch.context() as large:
        large.setattr("infra.rabbitmq.publisher._publish_confirmed", refuse)
        with pytest.raises(BrokerUnavailable):
            publish(publisher, queue)

    publish(publisher, queue)
    assert queue.ready() == 1


def test_a_message_is_in_its_queue(publisher: Publisher, queue: TestQueue) -> None:
    publish(publisher, queue)
    publish(publisher, queue)

    eventually(lambda: queue.ready() == 2, WITHIN_S, "both messages")


def test_a_queue_that_vanished_is_made_again(publisher: Publisher, queue: TestQueue) -> None:
    publish(publisher, queue)
    queue.delete()

    publish(publisher, queue)

    assert is_well(publisher)
    eventually(lambda: queue.ready() == 1, WITHIN_S, "the second message")


def test_a_queue_that_another_version_made_is_used(
    publisher: Publisher, queue: TestQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_otherwise = work_queue(queue.name, failed="another")
    queues = (made_otherwise, failed_queue(queue.failed))
    monkeypatch.setattr("infra.rabbitmq.connection.QUEUES", queues)

    publish(publisher, queue)

    eventually(lambda: queue.ready() == 1, WITHIN_S, "the message")


def test_a_message_without_a_queue_is_refused(publisher: Publisher, queue: TestQueue) -> None:
    headers, body = write_message([new_message("c" * 24, 1, "x").numbered(1)])

    with pytest.raises(BrokerUnavailable):
        publisher.publish(f"no-{queue.name}", headers, body)


def test_a_connection_that_was_cut_is_replaced_by_itself(
    publisher: Publisher, queue: TestQueue, proxy: Proxy
) -> None:
    publish(publisher, queue)
    proxy.cut()

    with pytest.raises(BrokerUnavailable):
        publish(publisher, queue)

    eventually(lambda: is_well(publisher), WITHIN_S, "the broker is found well")
    publish(publisher, queue)


def test_a_broker_that_hangs_costs_one_wait_and_no_more(
    publisher: Publisher, queue: TestQueue, proxy: Proxy
) -> None:
    publish(publisher, queue)
    proxy.freeze()

    began = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        publish(publisher, queue)
    assert time.monotonic() - began < 6

    began = time.monotonic()
    for _ in range(100):
        with pytest.raises(BrokerUnavailable):
            publish(publisher, queue)
    assert time.monotonic() - began < 0.5


def test_a_confirm_that_comes_late_is_not_taken_for_the_next_message(
    publisher: Publisher, queue: TestQueue, proxy: Proxy
) -> None:
    publish(publisher, queue)
    proxy.freeze()
    with pytest.raises(BrokerUnavailable):
        publish(publisher, queue)
    proxy.thaw()
    eventually(lambda: is_well(publisher), WITHIN_S, "the broker is found well")
    proxy.freeze()

    with pytest.raises(BrokerUnavailable):
        publish(publisher, queue)


def test_a_broker_that_does_not_listen_is_noticed_at_once(
    publisher: Publisher, queue: TestQueue, settings: Settings
) -> None:
    there = settings.ENVIRONMENT
    nobody = {"broker_url": f"amqp://127.0.0.1:{free_port()}//"}
    settings.ENVIRONMENT = there.model_copy(update=nobody)

    began = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        publish(publisher, queue)
    assert time.monotonic() - began < 0.5

    settings.ENVIRONMENT = there
    eventually(lambda: is_well(publisher), WITHIN_S, "the broker is found well")


def test_a_probe_is_kept_by_a_quorum_queue(proxy: Proxy) -> None:
    """Without a majority of its nodes, a broker confirms a message that no queue has to keep."""
    try_to_publish()

    assert messages_waiting(PROBE.name) == 1
    assert (PROBE.queue_arguments or {})["x-queue-type"] == "quorum"
