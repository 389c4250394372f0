"""It runs: gunicorn, and its two tables."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.database import Database
from bench.route import MESSAGES
from bench.servers import gunicorn
from bench.stock_table import create_table
from bench.target import Target

NAME = "sync"

_TABLES = ("sync_messages", "sync_chats")
_CREATE_CHATS = """
CREATE TABLE sync_chats (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  application_token varchar(24) NOT NULL,
  chat_number bigint unsigned NOT NULL,
  messages_count bigint unsigned NOT NULL,
  UNIQUE KEY (application_token, chat_number)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
"""
_CHAT = "INSERT INTO sync_chats VALUES (1, %s, %s, 0)"


@contextmanager
def sync(database: Database, threads: int) -> Iterator[Target]:
    """Where it listens; its tables are gone afterwards."""
    _, *_, token, _, number, _ = MESSAGES.split("/")
    _remove(database)
    try:
        database.execute(create_table("sync_messages"))
        database.execute(_CREATE_CHATS)
        database.execute(_CHAT, token, int(number))
        with gunicorn("bench.sync", threads=threads) as url:
            yield Target(
                NAME, url + MESSAGES, lambda: database.number("SELECT COUNT(*) FROM sync_messages")
            )
    finally:
        _remove(database)


def _remove(database: Database) -> None:
    for table in _TABLES:
        database.execute(f"DROP TABLE IF EXISTS {table}")
