"""Further messages of a queue, for a task at work: the longer the queue, the larger its batch.

They are asked for one by one, or, of a backlog, sent ahead (core.broker.stream).

They come over a connection of this process's own and stay unacknowledged until their rows are
stored. Whatever goes wrong with it, it is dropped, and the broker hands its messages out again.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kombu import Connection

from core.broker.connection import connect, drop
from core.broker.publisher import BrokerAway
from core.broker.stream import Stream
from core.logs import Event, get_logger
from core.timeouts import BROKER_DRAIN_SECONDS, BROKER_HEARTBEAT_SECONDS, BROKER_IDLE_SECONDS

logger = get_logger(__name__)

#: A message that was handed out in vain so often may kill who stores it. Workers that are killed
#: for other reasons seldom hold the same message so often.
SUSPECT_AFTER = 3


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is held, handed out `attempts` times before; more may be `waiting` behind it.

    `waiting` is their number where the message was asked for.
    """

    channel: Any
    tag: int
    headers: Mapping[str, Any]
    body: bytes
    attempts: int
    waiting: int


def attempts(headers: Mapping[str, Any] | None) -> int:
    """How often a message was handed out before, each time in vain."""
    return int((headers or {}).get("x-delivery-count") or 0)


class Drain:
    """This process's own way to take messages."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._channel: Any = None
        self._stream: Stream | None = None
        self._used_at = 0.0

    def take(self, queue: str) -> Delivery | None:
        """The next message, unless there is none or the broker is away."""
        try:
            return self.fetch(queue)
        except BrokerAway:
            return None

    def fetch(self, queue: str) -> Delivery | None:
        """The next message, unless there is none. Raises BrokerAway."""
        try:
            channel = self._open()
            message = self._stream.next() if self._stream else channel.basic_get(queue)
        except Exception as error:
            # Whatever it is, nothing is to be had now.
            self.drop(error)
            raise BrokerAway(f"{type(error).__name__}: {error}") from error
        self._used_at = time.monotonic()
        if message is None:
            self._stream = None
            return None
        body = message.body
        headers = message.properties.get("application_headers") or {}
        return Delivery(
            channel=channel,
            tag=message.delivery_tag,
            headers=headers,
            body=body.encode() if isinstance(body, str) else bytes(body),
            attempts=attempts(headers),
            waiting=message.delivery_info.get("message_count", 1),
        )

    def send_ahead(self, queue: str, most: int) -> None:
        """From now on the messages of this queue come unasked, `most` ahead of what is settled.

        That ends with the first that does not come soon; then there is none, for once.
        """
        try:
            self._stream = Stream(self._open(), queue, most)
        except Exception as error:  # noqa: BLE001 - the messages are handed out again
            self.drop(error)

    def send_no_more(self) -> bool:
        """None is sent ahead any more; whether any that were may be left to be taken."""
        if self._stream:
            try:
                self._stream.stop()
            except Exception as error:  # noqa: BLE001 - the messages are handed out again
                self.drop(error)
        return self._stream is not None

    def acknowledge(self, delivery: Delivery) -> None:
        """This one and all that were taken before it are done with."""
        self._settle(delivery, "basic_ack", multiple=True)

    def refuse(self, delivery: Delivery) -> None:
        """This one alone goes to the dead letters."""
        self._settle(delivery, "basic_reject", requeue=False)

    def stay_alive(self) -> None:
        """To be called now and then while messages are held for long."""
        if (
            self._connection is None
            or time.monotonic() - self._used_at < BROKER_HEARTBEAT_SECONDS / 3
        ):
            return
        try:
            self._connection.connection.send_heartbeat()
            self._used_at = time.monotonic()
        except Exception as error:  # noqa: BLE001 - the messages are handed out again
            self.drop(error)

    def drop(self, error: BaseException | None = None) -> None:
        """Close the connection: all messages that are held go back to their queues."""
        if error is not None:
            logger.warning(Event.DRAIN_ENDED, error=error)
        connection, self._connection, self._channel = self._connection, None, None
        self._stream = None
        if connection is not None:
            drop(connection)

    def _open(self) -> Any:
        """The channel; another than before when that was idle for long."""
        if self._channel is not None and time.monotonic() - self._used_at < BROKER_IDLE_SECONDS:
            return self._channel
        self.drop()
        self._connection = connect(BROKER_DRAIN_SECONDS, BROKER_HEARTBEAT_SECONDS)
        self._channel = self._connection.channel()
        self._used_at = time.monotonic()
        return self._channel

    def _settle(self, delivery: Delivery, method: str, **options: Any) -> None:
        # With another channel than this one the broker has taken the message back.
        if delivery.channel is not self._channel:
            return
        try:
            getattr(self._channel, method)(delivery.tag, **options)
        except Exception as error:  # noqa: BLE001 - the messages are handed out again
            self.drop(error)
