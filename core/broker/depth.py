"""How much waits in the queues."""

from typing import Any

from core.broker.connection import FAILED, connect, drop, is_configured
from core.broker.publisher import BrokerAway
from core.broker.queues import WORK

ANSWER_SECONDS = 2.0


def waiting_in(*queues: str) -> int:
    """The messages that wait in these queues, without those a worker holds. Raises BrokerAway."""
    if not is_configured():
        return 0
    try:
        connection = connect(ANSWER_SECONDS)
        try:
            channel = connection.channel()
            declared: list[Any] = [
                WORK[name](channel).queue_declare(passive=True) for name in queues
            ]
            return sum(answer.message_count for answer in declared)
        finally:
            drop(connection)
    except FAILED as error:
        raise BrokerAway(str(error)) from error
