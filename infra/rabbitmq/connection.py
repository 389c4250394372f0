"""This process's own connections to RabbitMQ, declaring the queues, and how much waits in them.

A connection makes one attempt, waits briefly and closes quickly.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from amqp.exceptions import AMQPError, NotFound, PreconditionFailed
from django.conf import settings
from kombu import Connection, Queue
from kombu.exceptions import KombuError

from infra.logs import Event, get_logger
from infra.rabbitmq.queues import QUEUES
from infra.timeouts import BROKER_CONNECT_SECONDS, BROKER_DEPTH_SECONDS, BROKER_FAREWELL_SECONDS

#: The errors of a broker's client.
BROKER_ERRORS = (AMQPError, KombuError, OSError)


class BrokerUnavailable(Exception):
    """The message was not confirmed; it may have arrived."""


def connect(answer_seconds: float, heartbeat_seconds: float = 0) -> Connection:
    """A new connection with a time limit for each answer. Raises one of BROKER_ERRORS."""
    connection = Connection(
        settings.ENVIRONMENT.broker_url,
        connect_timeout=BROKER_CONNECT_SECONDS,
        heartbeat=heartbeat_seconds,
        transport_options={
            "confirm_publish": True,
            "read_timeout": answer_seconds,
            "write_timeout": answer_seconds,
        },
    )
    # Connection.connect() would repeat a refused attempt after two seconds.
    connection.ensure_connection(max_retries=0)
    return connection


def close_quietly(connection: Connection) -> None:
    """Close it without a handshake, which a broker that hangs would never answer."""
    connection.collect(socket_timeout=BROKER_FAREWELL_SECONDS)


logger = get_logger(__name__)


def open_declared_channel(connection: Connection, others: Iterable[Queue] = ()) -> Any:
    """A channel, after declaring all queues and these others."""
    channel = connection.channel()
    for queue in (*QUEUES, *others):
        try:
            queue(channel).queue_declare()
        except PreconditionFailed as error:
            # It exists, declared by another release, and works as well.
            logger.error(Event.QUEUE_DIFFERS, queue=queue.name, error=error)  # noqa: TRY400
            channel = connection.channel()
    return channel


@dataclass(frozen=True, slots=True)
class QueueState:
    """Messages that wait, without those that a worker holds; and the number of consumers."""

    messages: int = 0
    consumers: int = 0


def messages_waiting(*queues: str) -> int:
    """The number of messages that wait in these queues. Raises BrokerUnavailable."""
    return sum(state.messages for state in queue_states(*queues).values())


def queue_states(*queues: str) -> dict[str, QueueState]:
    """The state of these queues; a missing one counts as empty. Raises BrokerUnavailable."""
    if not settings.ENVIRONMENT.broker_url:
        return {}
    try:
        connection = connect(BROKER_DEPTH_SECONDS)
        try:
            return {name: _state(connection, name) for name in queues}
        finally:
            close_quietly(connection)
    except BROKER_ERRORS as error:
        raise BrokerUnavailable(str(error)) from error


def _state(connection: Connection, name: str) -> QueueState:
    try:
        # One channel for each queue: the broker closes a channel that names a missing queue.
        answer: Any = Queue(name, channel=connection.channel()).queue_declare(passive=True)
    except NotFound:
        return QueueState()
    return QueueState(int(answer.message_count), int(answer.consumer_count))
