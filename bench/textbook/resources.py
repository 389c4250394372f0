"""What it leaves on the stack's servers while it runs: a table, keys in Redis, a queue."""

from typing import Any

from amqp import NotFound
from kombu import Connection

from bench import leftovers
from bench.database import Database
from bench.services import Services
from bench.stock_table import create_table
from bench.textbook.names import KEY_PREFIX, QUEUE


def make(database: Database) -> None:
    """The empty table; the rest comes by itself."""
    database.execute(create_table("textbook_messages"))


def count(database: Database) -> int:
    """How many rows it has stored."""
    return database.number("SELECT COUNT(*) FROM textbook_messages")


def remove(services: Services, database: Database) -> None:
    """All of it, also what a run left that was killed."""
    leftovers.remove(services, queue=QUEUE, key_prefix=KEY_PREFIX)
    database.execute("DROP TABLE IF EXISTS textbook_messages")


def has_worker(services: Services) -> bool:
    """Whether a worker reads the queue."""
    with Connection(services.broker_url) as broker:
        channel: Any = broker.default_channel
        try:
            queue = channel.queue_declare(QUEUE, passive=True)
        except NotFound:
            return False
        return bool(queue.consumer_count)
