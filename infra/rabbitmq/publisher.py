"""Confirmed publishes of task messages, one at a time, on a connection that is dropped on doubt.

py-amqp takes any confirm for the one it waits for, hence the drop. Task messages follow Celery's
protocol, version 2, and are written without Celery, which costs four times as much. `WakeUp` is for
messages that are all alike and may be lost.
"""

import time
from collections.abc import Mapping
from functools import cache
from threading import Lock
from typing import Any
from uuid import uuid4

import orjson
from amqp.exceptions import ChannelError
from django.conf import settings
from kombu import Connection, Producer

from infra.breaker import Breaker
from infra.logs import Event, get_logger
from infra.metrics import PUBLISHES
from infra.rabbitmq.connection import (
    BrokerUnavailable,
    close_quietly,
    connect,
    open_declared_channel,
)
from infra.rabbitmq.queues import PROBE
from infra.service_errors import Meaning, meaning_of
from infra.timeouts import BROKER_CONFIRM_SECONDS

logger = get_logger(__name__)


def task_message(name: str, *arguments: object) -> tuple[dict[str, Any], bytes]:
    """Headers and body of a message that calls the task of this name with these arguments."""
    task_id = str(uuid4())
    headers = {"lang": "py", "task": name, "id": task_id, "root_id": task_id, "argsrepr": ""}
    return headers, orjson.dumps([arguments, {}, {}])


_NO_ROUTE = 312
_confirmed, _failed = (PUBLISHES.labels(outcome) for outcome in ("confirmed", "failed"))


class Publisher:
    """The publisher of this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._connection: Connection | None = None
        self._producer: Producer | None = None
        self.breaker = Breaker("rabbitmq", try_to_publish)

    def publish(self, queue: str, headers: Mapping[str, Any], body: bytes) -> None:
        """Return when the queue has it on disk. Raises BrokerUnavailable, at once if known."""
        with self._lock:
            if self.breaker.is_open:
                raise BrokerUnavailable("known to be away")
            try:
                self._publish_to_existing(queue, headers, body)
            except Exception as error:
                _failed.inc()
                # A message that is too large says nothing about others.
                if meaning_of(error) is not Meaning.ROW_AT_FAULT:
                    self.breaker.open(error)
                raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
            _confirmed.inc()

    def _publish_to_existing(self, queue: str, headers: Mapping[str, Any], body: bytes) -> None:
        try:
            self._publish(queue, headers, body)
        except ChannelError as error:
            # The queue was deleted while the connection lived; a new connection declares it.
            if error.reply_code != _NO_ROUTE:
                raise
            self._publish(queue, headers, body)

    def _publish(self, queue: str, headers: Mapping[str, Any], body: bytes) -> None:
        try:
            _publish_confirmed(self._open(), queue, headers, body)
        except BaseException:
            self._drop()
            raise

    def _open(self) -> Producer:
        if self._producer is None:
            self._connection = connect(BROKER_CONFIRM_SECONDS)
            self._producer = Producer(open_declared_channel(self._connection), auto_declare=False)
        return self._producer

    def _drop(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            close_quietly(connection)


@cache
def publisher() -> Publisher:
    """The publisher that all threads share."""
    return Publisher()


#: A process sends a wake-up at most this often.
WAKE_EVERY_SECONDS = 0.5


class WakeUp:
    """Queues a task that looks for work, at most once in WAKE_EVERY_SECONDS by each process.

    Wake-ups in between are left out, so a task must go on looking for longer than that. Without a
    broker, or while it is unavailable, nothing is sent: beat repeats what is lost.
    """

    def __init__(self, queue: str, task: str) -> None:
        self._queue, self._task = queue, task
        self._lock = Lock()
        self._sent_at = float("-inf")

    def send(self, *, at_once: bool = False) -> None:
        """Queue the task if it is due, or in any case."""
        if settings.ENVIRONMENT.broker_url and (at_once or self._is_due()):
            try:
                publisher().publish(self._queue, *task_message(self._task))
            except BrokerUnavailable as error:
                logger.debug(Event.WAKE_LOST, task=self._task, error=error)

    def __call__(self, *_: object) -> None:
        """The same, for subscriptions that pass arguments."""
        self.send()

    def _is_due(self) -> bool:
        with self._lock:
            now = time.monotonic()
            if now - self._sent_at < WAKE_EVERY_SECONDS:
                return False
            self._sent_at = now
            return True


def _publish_confirmed(
    producer: Producer, queue: str, headers: Mapping[str, Any], body: bytes
) -> None:
    producer.publish(
        body,
        exchange="",
        routing_key=queue,
        headers=dict(headers),
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=2,
        correlation_id=headers["id"],
        mandatory=True,
        retry=False,
        confirm_timeout=BROKER_CONFIRM_SECONDS,
    )


def try_to_publish() -> None:
    """Publish twice to a queue like those of rows. Raises errors of the broker.

    A broker that is out of memory accepts the first publish of a connection and confirms no other.
    Nodes of a cluster that are not the majority confirm what no queue has to keep.
    """
    connection = connect(BROKER_CONFIRM_SECONDS)
    try:
        producer = Producer(open_declared_channel(connection, [PROBE]), auto_declare=False)
        for _ in range(2):
            producer.publish(
                b"",
                exchange="",
                routing_key=PROBE.name,
                mandatory=True,
                confirm_timeout=BROKER_CONFIRM_SECONDS,
            )
    finally:
        close_quietly(connection)
