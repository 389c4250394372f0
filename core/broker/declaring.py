"""A channel to queues that are there: whoever comes first to a new broker declares all of them."""

from collections.abc import Iterable
from typing import Any

from amqp.exceptions import PreconditionFailed
from kombu import Connection, Queue

from core.broker.queues import QUEUES
from core.logs import Event, get_logger

logger = get_logger(__name__)


def open_channel(connection: Connection, others: Iterable[Queue] = ()) -> Any:
    """A channel of this connection, once all queues are there, and these others."""
    channel = connection.channel()
    for queue in (*QUEUES, *others):
        try:
            queue(channel).queue_declare()
        except PreconditionFailed as error:
            # It is there, made by another version, and takes messages as well.
            logger.error(Event.QUEUE_DIFFERS, queue=queue.name, error=error)  # noqa: TRY400
            channel = connection.channel()
    return channel
