"""Celery's consumer with a few changes; all private API of Celery and kombu is used here."""

import logging
from functools import partial
from typing import Any

from celery.worker import consumer
from kombu import Connection, Message

from infra.logs import Event, get_logger
from infra.rabbitmq.connection import open_declared_channel
from infra.rabbitmq.queues import QUEUES

logger = get_logger(__name__)

_Blueprint: Any = consumer.Consumer.Blueprint


class Consumer(consumer.Consumer):
    """A consumer that loses no message, declares no unused queue, and reconnects soon."""

    class Blueprint(_Blueprint):  # type: ignore[misc] # the stubs know it as a value
        # The omitted step declares 28 quorum queues for countdowns, which nothing here uses.
        default_steps = [step for step in _Blueprint.default_steps if "DelayedDelivery" not in step]

    def ensure_connected(self, conn: Connection) -> Connection:
        """Try to connect every two seconds, then declare the queues.

        Celery's own pauses grow to half a minute, and a queue with other arguments would end its
        consumer.
        """
        patient = partial(conn.ensure_connection, interval_step=0)
        vars(conn)["ensure_connection"] = patient
        connected: Connection = super().ensure_connected(conn)
        consumed = self.app.amqp.queues.consume_from.values()
        open_declared_channel(
            connected, [queue for queue in consumed if queue not in QUEUES]
        ).close()
        return connected

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Move a message that cannot be decoded to `failed`; Celery would acknowledge it."""
        self._refuse(message, exc)

    def on_unknown_message(self, body: Any, message: Message) -> None:
        """The same for a message that is no task; Celery would log all of it."""
        self._refuse(message)

    def on_unknown_task(self, body: Any, message: Message, exc: Exception) -> None:
        """The same for a task of another release, or one without its required parts."""
        self._refuse(message, exc)

    on_invalid_task = on_unknown_task

    def _refuse(self, message: Message, error: Exception | None = None) -> None:
        queue = (message.delivery_info or {}).get("routing_key")
        logger.error(Event.MESSAGE_REFUSED, queue=queue, error=error)
        message.reject_log_error(logging.getLogger(__name__), self.connection_errors)  # type: ignore[attr-defined]
