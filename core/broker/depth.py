"""How much waits in the queues."""

from typing import Any

from amqp.exceptions import NotFound
from kombu import Connection

from core.broker.connection import FAILED, connect, drop, is_configured
from core.broker.publisher import BrokerAway
from core.broker.queues import QUEUES
from core.timeouts import BROKER_DEPTH_SECONDS


def waiting_in(*queues: str) -> int:
    """The messages that wait in these queues, without those a worker holds. Raises BrokerAway."""
    if not is_configured():
        return 0
    try:
        connection = connect(BROKER_DEPTH_SECONDS)
        try:
            return sum(_waiting(connection, name) for name in queues)
        finally:
            drop(connection)
    except FAILED as error:
        raise BrokerAway(str(error)) from error


def _waiting(connection: Connection, name: str) -> int:
    [queue] = (queue for queue in QUEUES if queue.name == name)
    try:
        # A channel for each: asked for a queue that is not there, the broker closes it.
        answer: Any = queue(connection.channel()).queue_declare(passive=True)
    except NotFound:
        return 0
    return int(answer.message_count)
