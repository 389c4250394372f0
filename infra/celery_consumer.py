"""Celery's consumer, changed in the few places where it does not fit this service."""

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
    """Loses no message, declares no queue that nobody uses, is back soon after the broker."""

    class Blueprint(_Blueprint):  # type: ignore[misc] # the stubs know it as a value
        # The step left out declares 28 quorum queues for countdowns, which nothing here asks for.
        default_steps = [step for step in _Blueprint.default_steps if "DelayedDelivery" not in step]

    def ensure_connected(self, conn: Connection) -> Connection:
        """Look for the broker every two seconds, then declare the queues.

        Celery's own pauses grow to half a minute, and a queue that differs would end its consumer.
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
        """What cannot be decoded is kept with the failed, where Celery would acknowledge it."""
        self._refuse(message, exc)

    def on_unknown_message(self, body: Any, message: Message) -> None:
        """The same for what is no task; Celery would log all of it."""
        self._refuse(message)

    def on_unknown_task(self, body: Any, message: Message, exc: Exception) -> None:
        """The same for a task of another version."""
        self._refuse(message, exc)

    def on_invalid_task(self, body: Any, message: Message, exc: Exception) -> None:
        """The same for a task without what a task has."""
        self._refuse(message, exc)

    def _refuse(self, message: Message, error: Exception | None = None) -> None:
        queue = (message.delivery_info or {}).get("routing_key")
        logger.error(Event.MESSAGE_REFUSED, queue=queue, error=error)
        message.reject_log_error(logging.getLogger(__name__), self.connection_errors)  # type: ignore[attr-defined]
