"""What it leaves on the stack's servers while it runs: a table, keys in Redis, a queue."""

from typing import Any

from amqp import NotFound
from kombu import Connection

from bench import leftovers
from bench.database import Database
from bench.services import Services
from bench.textbook.names import KEY_PREFIX, QUEUE

# The product's columns as far as this design has them, with the same unique key.
_CREATE = """
CREATE TABLE textbook_messages (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  application_token varchar(24) NOT NULL,
  chat_number bigint unsigned NOT NULL,
  message_number bigint unsigned NOT NULL,
  body longtext NOT NULL,
  created_at datetime(6) NOT NULL,
  updated_at datetime(6) NOT NULL,
  UNIQUE KEY (application_token, chat_number, message_number)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
"""


def make(database: Database) -> None:
    """The empty table; the rest comes by itself."""
    database.execute(_CREATE)


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
