"""Celery's consumer, changed in the few places where it does not fit this service."""

import logging
from functools import partial
from typing import Any

from celery.worker import consumer
from kombu import Connection, Message

logger = logging.getLogger(__name__)

_Blueprint: Any = consumer.Consumer.Blueprint


class Consumer(consumer.Consumer):
    """Loses no message, declares no queue that nobody uses, is back soon after the broker."""

    class Blueprint(_Blueprint):  # type: ignore[misc] # the stubs know it as a value
        # The step left out declares 28 quorum queues for countdowns, which nothing here asks for.
        default_steps = [step for step in _Blueprint.default_steps if "DelayedDelivery" not in step]

    def ensure_connected(self, conn: Connection) -> Connection:
        """Look for the broker every two seconds; Celery's own pauses grow to half a minute."""
        patient = partial(conn.ensure_connection, interval_step=0)
        vars(conn)["ensure_connection"] = patient
        connected: Connection = super().ensure_connected(conn)
        return connected

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """What cannot be decoded is kept with the failed, where Celery would acknowledge it."""
        logger.error("message set aside, unreadable: %s", exc)
        message.reject_log_error(logger, self.connection_errors)  # type: ignore[attr-defined]
