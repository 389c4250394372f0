"""AMQP consumer for bulk draining: by basic_get, or by basic_consume with a prefetch limit.

Each basic_get costs the broker a write to its log on disk; with basic_consume many messages share
one. After any error the connection is dropped, and the broker redelivers its messages.
"""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kombu import Connection

from infra.logs import Event, get_logger
from infra.rabbitmq.connection import (
    BrokerUnavailable,
    close_quietly,
    connect,
    open_declared_channel,
)
from infra.timeouts import BROKER_DRAIN_SECONDS, BROKER_HEARTBEAT_SECONDS, BROKER_IDLE_SECONDS


class PushedMessages:
    """Messages that the broker pushes from one queue, with a limit of unacknowledged ones."""

    def __init__(self, channel: Any, queue: str, most: int) -> None:
        self._channel = channel
        self._arrived: deque[Any] = deque()
        channel.basic_qos(0, most, False)
        self._tag: str | None = channel.basic_consume(queue, callback=self._arrived.append)

    def next(self, until: float) -> Any:
        """The next message. If none comes in time, stop pushing; return leftovers, then None."""
        if time.monotonic() >= until:
            self.stop()
        while not self._arrived and self._tag is not None:
            try:
                self._channel.connection.drain_events(timeout=max(until - time.monotonic(), 0.001))
            except TimeoutError:
                self.stop()
        return self._arrived.popleft() if self._arrived else None

    def stop(self) -> None:
        """Stop pushing. Messages that have arrived can still be taken."""
        if self._tag is not None:
            self._channel.basic_cancel(self._tag)
            self._tag = None


logger = get_logger(__name__)

#: A message that was delivered in vain this often may kill the worker that stores it. Workers that
#: are killed for other reasons seldom hold the same message three times.
SUSPECT_AFTER = 3


@dataclass(frozen=True, slots=True)
class Delivery:
    """An unacknowledged message that was delivered `attempts` times before."""

    channel: Any
    tag: int
    headers: Mapping[str, Any]
    body: bytes
    attempts: int


def delivery_attempts(headers: Mapping[str, Any] | None) -> int:
    """How often a message was delivered before, each time in vain."""
    return int((headers or {}).get("x-delivery-count") or 0)


class QueueDrain:
    """The connection of this process for taking messages."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._channel: Any = None
        self._stream: PushedMessages | None = None
        self._used_at = 0.0

    def fetch(self, queue: str) -> Delivery | None:
        """The next message, or None. Raises BrokerUnavailable."""
        try:
            channel = self._open()
            message = channel.basic_get(queue)
        except Exception as error:
            # Any error means that no message is available now.
            self.drop(error)
            raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
        return self._held(message) if message else None

    def send_ahead(self, queue: str, most: int) -> None:
        """Let the broker push messages of this queue, at most `most` unacknowledged ones."""
        try:
            self._stream = PushedMessages(self._open(), queue, most)
        except Exception as error:  # noqa: BLE001 - the broker redelivers the messages
            self.drop(error)

    def next(self, until: float) -> Delivery | None:
        """The next message pushed until this time.monotonic, then what had arrived, then None."""
        if self._stream is None:
            return None
        try:
            message = self._stream.next(until)
        except Exception as error:  # noqa: BLE001 - the broker redelivers the messages
            self.drop(error)
            return None
        if message is None:
            self._stream = None
            return None
        return self._held(message)

    def acknowledge(self, delivery: Delivery) -> None:
        """Acknowledge this message and all that were taken before it."""
        self._settle(delivery, "basic_ack", multiple=True)

    def refuse(self, delivery: Delivery) -> None:
        """Reject this message; the broker moves it to the queue `failed`."""
        self._settle(delivery, "basic_reject", requeue=False)

    def stay_alive(self) -> None:
        """Send a heartbeat if one is due. Call this while messages are held for long."""
        if (
            self._connection is None
            or time.monotonic() - self._used_at < BROKER_HEARTBEAT_SECONDS / 3
        ):
            return
        try:
            self._connection.connection.send_heartbeat()
            self._used_at = time.monotonic()
        except Exception as error:  # noqa: BLE001 - the broker redelivers the messages
            self.drop(error)

    def drop(self, error: BaseException | None = None) -> None:
        """Close the connection; the broker redelivers all unacknowledged messages."""
        if error is not None:
            logger.warning(Event.DRAIN_ENDED, error=error)
        connection, self._connection, self._channel = self._connection, None, None
        self._stream = None
        if connection is not None:
            close_quietly(connection)

    def _held(self, message: Any) -> Delivery:
        self._used_at = time.monotonic()
        body = message.body
        headers = message.properties.get("application_headers") or {}
        return Delivery(
            channel=self._channel,
            tag=message.delivery_tag,
            headers=headers,
            body=body.encode() if isinstance(body, str) else bytes(body),
            attempts=delivery_attempts(headers),
        )

    def _open(self) -> Any:
        """The channel; a new one if the connection was idle for long."""
        if self._channel is None or time.monotonic() - self._used_at >= BROKER_IDLE_SECONDS:
            self.drop()
            self._connection = connect(BROKER_DRAIN_SECONDS, BROKER_HEARTBEAT_SECONDS)
            self._channel = open_declared_channel(self._connection)
        self._used_at = time.monotonic()
        return self._channel

    def _settle(self, delivery: Delivery, method: str, **options: Any) -> None:
        # On another channel the broker has taken the message back.
        if delivery.channel is not self._channel:
            return
        try:
            getattr(self._channel, method)(delivery.tag, **options)
        except Exception as error:  # noqa: BLE001 - the broker redelivers the messages
            self.drop(error)
