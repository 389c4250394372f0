"""One confirmed publish at a time, on a connection that is dropped after the first doubt.

py-amqp takes any confirm for the one it waits for. So after a timeout, a refusal or a return the
connection is closed, and a message whose confirm did not come may have arrived all the same.
"""

from collections.abc import Mapping
from functools import cache
from threading import Lock
from typing import Any

from amqp.exceptions import ChannelError
from kombu import Connection, Producer

from core.breaker import Breaker
from core.broker.connection import connect, drop, is_configured
from core.broker.declaring import open_channel
from core.metrics import PUBLISHES
from core.service_errors import Meaning, meaning_of
from core.timeouts import BROKER_CONFIRM_SECONDS

__all__ = ["BrokerAway", "Publisher", "is_configured", "publisher"]

_NO_ROUTE = 312
_confirmed, _failed = (PUBLISHES.labels(outcome) for outcome in ("confirmed", "failed"))


class BrokerAway(Exception):
    """The message was not confirmed; it may have arrived."""


class Publisher:
    """This process's way to the queues."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._connection: Connection | None = None
        self._producer: Producer | None = None
        self.breaker = Breaker("rabbitmq", try_to_publish)

    def publish(self, queue: str, headers: Mapping[str, Any], body: bytes) -> None:
        """Return when the queue has the message on disk. Raises BrokerAway, at once where known."""
        with self._lock:
            if self.breaker.is_open:
                raise BrokerAway("known to be away")
            try:
                self._publish_to_existing(queue, headers, body)
            except Exception as error:
                _failed.inc()
                # A message that is too large says nothing of the others.
                if meaning_of(error) is not Meaning.ROW_AT_FAULT:
                    self.breaker.open(error)
                raise BrokerAway(f"{type(error).__name__}: {error}") from error
            _confirmed.inc()

    def _publish_to_existing(self, queue: str, headers: Mapping[str, Any], body: bytes) -> None:
        try:
            self._publish(queue, headers, body)
        except ChannelError as error:
            # The queue is gone under a living connection; a new one declares it.
            if error.reply_code != _NO_ROUTE:
                raise
            self._publish(queue, headers, body)

    def _publish(self, queue: str, headers: Mapping[str, Any], body: bytes) -> None:
        try:
            _send(self._open(), queue, headers, body)
        except BaseException:
            self._drop()
            raise

    def _open(self) -> Producer:
        if self._producer is None:
            self._connection = connect(BROKER_CONFIRM_SECONDS)
            self._producer = _declared(self._connection)
        return self._producer

    def _drop(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            drop(connection)


@cache
def publisher() -> Publisher:
    """The one of this process."""
    return Publisher()


def _send(producer: Producer, queue: str, headers: Mapping[str, Any], body: bytes) -> None:
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


def _declared(connection: Connection) -> Producer:
    """A producer on this connection, once all queues are there."""
    return Producer(open_channel(connection), auto_declare=False)


def try_to_publish() -> None:
    """Two confirmed publishes to nowhere. Raises what goes wrong with a broker.

    A broker that is out of memory takes the first of each connection, and confirms no other.
    """
    connection = connect(BROKER_CONFIRM_SECONDS)
    try:
        producer = _declared(connection)
        for _ in range(2):
            producer.publish(
                b"",
                exchange="",
                routing_key="no-such-queue",
                confirm_timeout=BROKER_CONFIRM_SECONDS,
            )
    finally:
        drop(connection)
