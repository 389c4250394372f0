"""A separate queue on the stack's broker, with its own dead letters."""

import os
from collections.abc import Sequence
from typing import Any, Self
from uuid import uuid4

from kombu import Connection, Producer

from infra.rabbitmq.queues import failed_queue, work_queue
from ingest.message_format import write_message
from ingest.records import NumberedRow
from tests.live.servers import eventually


class TestQueue:
    """A quorum queue like the real ones."""

    __test__ = False

    def __init__(self) -> None:
        self.name = f"test-{uuid4().hex}"
        self.failed = f"{self.name}-failed"
        self.published = 0

    def __enter__(self) -> Self:
        self._connection = Connection(os.environ["BROKER_URL"])
        self._channel: Any = self._connection.channel()
        failed_queue(self.failed)(self._channel).queue_declare()
        work_queue(self.name, self.failed)(self._channel).queue_declare()
        return self

    def __exit__(self, *_: object) -> None:
        self.delete()
        self._channel.queue_delete(self.failed)
        self._connection.release()

    def delete(self) -> None:
        """Delete the queue with all its messages."""
        self._channel.queue_delete(self.name)

    def lose_all(self) -> None:
        """Purge the queue, as if the broker had lost its data and redeclared the queue."""
        self._channel.queue_purge(self.name)

    def make_otherwise(self) -> None:
        """Redeclare the queue with the arguments of an older version."""
        self.delete()
        arguments = {"x-queue-type": "quorum", "x-delivery-limit": 7}
        self._channel.queue_declare(self.name, durable=True, auto_delete=False, arguments=arguments)

    def put(self, *messages: Sequence[NumberedRow]) -> None:
        """Publish a task message for each group of rows."""
        for rows in messages:
            self.put_raw(*write_message(rows))

    def put_raw(
        self, headers: dict[str, Any], body: bytes, *, expires: float | None = None
    ) -> None:
        """Publish a message as it is; `expires` is in seconds."""
        self.published += 1
        Producer(self._channel, auto_declare=False).publish(
            body,
            exchange="",
            routing_key=self.name,
            headers=headers,
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=2,
            expiration=expires,
        )

    def refuse_all(self) -> None:
        """Reject all published messages, so that they become dead letters."""
        eventually(lambda: self.ready() == self.published, 10, "the messages")
        for _ in range(self.published):
            message = self._channel.basic_get(self.name)
            self._channel.basic_reject(message.delivery_tag, requeue=False)
        eventually(lambda: self.dead_letters() == self.published, 10, "the dead letters")

    def take_in_vain(self) -> None:
        """Take the one waiting message and requeue it."""
        eventually(lambda: self.ready() == 1, 10, "the message")
        message = self._channel.basic_get(self.name)
        self._channel.basic_reject(message.delivery_tag, requeue=True)

    def ready(self) -> int:
        """The number of messages that are ready for delivery."""
        return int(self._channel.queue_declare(self.name, passive=True).message_count)

    def dead_letters(self) -> int:
        """The number of dead-lettered messages."""
        return int(self._channel.queue_declare(self.failed, passive=True).message_count)
