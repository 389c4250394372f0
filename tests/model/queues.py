"""Separate queues on the stack's broker, and Celery's part of a worker, step by step."""

import os
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

import orjson
import pytest
from kombu import Connection, Producer

from infra.rabbitmq import connection
from infra.rabbitmq.publisher import Publisher
from infra.rabbitmq.queues import FAILED, SEARCH, WEBHOOKS, failed_queue, wake_up_queue, work_queue
from ingest import writer

KINDS = ("chats", "messages")


@dataclass(frozen=True)
class Copy:
    """A delivered task message."""

    queue: str
    headers: dict[str, Any]
    body: bytes


class OwnQueues:
    """The product's queues under other names, and a worker driven by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        prefix = f"test-{uuid4().hex}"
        self._names = {name: f"{prefix}-{name}" for name in (*KINDS, SEARCH, WEBHOOKS, FAILED)}
        failed = self._names[FAILED]
        queues = [work_queue(self._names[kind], failed) for kind in KINDS]
        queues += [wake_up_queue(self._names[name]) for name in (SEARCH, WEBHOOKS)]
        queues += [failed_queue(failed)]
        publish, state = Publisher.publish, connection._state
        names = self._names
        monkeypatch.setattr("infra.rabbitmq.connection.QUEUES", queues)
        monkeypatch.setattr(connection, "QUEUES", queues)
        monkeypatch.setattr(connection, "_state", lambda to, name: state(to, names[name]))
        monkeypatch.setattr(
            Publisher, "publish", lambda self, name, *rest: publish(self, names[name], *rest)
        )
        self._monkeypatch = monkeypatch
        self._queues = queues
        self.copies: list[Copy] = []

    def __enter__(self) -> Self:
        self._connection = Connection(os.environ["BROKER_URL"])
        self._channel: Any = self._connection.channel()
        for queue in reversed(self._queues):
            queue(self._channel).queue_declare()
        return self

    def __exit__(self, *_: object) -> None:
        writer._drain.drop()
        for queue in self._queues:
            self._channel.queue_delete(queue.name)
        self._connection.release()

    def purge(self) -> None:
        """Delete all queued messages, as if the broker had lost them."""
        writer._drain.drop()
        for queue in self._queues:
            self._channel.queue_purge(queue.name)

    def is_waiting(self) -> bool:
        """Whether any row is queued."""
        names = [self._names[kind] for kind in KINDS]
        return any(self._channel.queue_declare(name, passive=True).message_count for name in names)

    def deliver(self, kind: str, *, alone: bool = False, again: bool = False) -> bool:
        """Hand the next message to the task, which takes more unless `alone`; whether one existed.

        `again`: the worker dies before the acknowledgement, and the message is requeued.
        """
        name = self._names[kind]
        message = self._channel.basic_get(name)
        if message is None:
            return False
        headers = message.properties["application_headers"]
        self.copies = [*self.copies[-9:], Copy(name, headers, bytes(message.body, "utf-8"))]
        with self._monkeypatch.context() as patch:
            if alone or again:
                patch.setattr(writer._drain, "send_ahead", lambda *_: None)
            self._run(name, headers, message.body)
        if again:
            self._channel.basic_reject(message.delivery_tag, requeue=True)
        else:
            self._channel.basic_ack(message.delivery_tag)
        return True

    def deliver_all(self) -> None:
        """Deliver until the queues are empty."""
        for kind in KINDS:
            while self.deliver(kind):
                pass

    def publish_again(self, pick: int) -> None:
        """Publish a delivered message again, as after a lost confirm."""
        if self.copies:
            copy = self.copies[pick % len(self.copies)]
            Producer(self._channel, auto_declare=False).publish(
                copy.body,
                exchange="",
                routing_key=copy.queue,
                headers={key: copy.headers[key] for key in copy.headers if key[:2] != "x-"},
                content_type="application/json",
                content_encoding="utf-8",
                delivery_mode=2,
            )

    @staticmethod
    def _run(queue: str, headers: dict[str, Any], body: str | bytes) -> None:
        [envelope], _, _ = orjson.loads(body)
        task: Any = writer.store_queued_rows
        task.push_request(delivery_info={"routing_key": queue}, **headers)
        try:
            task.run(envelope)
        finally:
            task.pop_request()
