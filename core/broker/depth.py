"""How much waits in the queues, and whether anybody takes it."""

from dataclasses import dataclass
from typing import Any

from amqp.exceptions import NotFound
from kombu import Connection

from core.broker.connection import FAILED, connect, drop, is_configured
from core.broker.publisher import BrokerAway
from core.broker.queues import QUEUES
from core.timeouts import BROKER_DEPTH_SECONDS


@dataclass(frozen=True, slots=True)
class QueueState:
    """Messages that wait, without those a worker holds; workers that take them."""

    messages: int = 0
    consumers: int = 0


def waiting_in(*queues: str) -> int:
    """The messages that wait in these queues. Raises BrokerAway."""
    return sum(state.messages for state in states_of(*queues).values())


def states_of(*queues: str) -> dict[str, QueueState]:
    """These queues as they are now; one that is not there is empty. Raises BrokerAway."""
    if not is_configured():
        return {}
    try:
        connection = connect(BROKER_DEPTH_SECONDS)
        try:
            return {name: _state(connection, name) for name in queues}
        finally:
            drop(connection)
    except FAILED as error:
        raise BrokerAway(str(error)) from error


def _state(connection: Connection, name: str) -> QueueState:
    [queue] = (queue for queue in QUEUES if queue.name == name)
    try:
        # A channel for each: asked for a queue that is not there, the broker closes it.
        answer: Any = queue(connection.channel()).queue_declare(passive=True)
    except NotFound:
        return QueueState()
    return QueueState(int(answer.message_count), int(answer.consumer_count))
