"""The rows of a drain, inserted by the database client alone: as fast as the table takes them.

A table of its own with the layout of `messages`, 1,000 rows a statement, a transaction each. The
rows are made before the clock starts; escaping them is the client's work and counts.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from bench.database import Database
from bench.product import Chat

_PER_STATEMENT = 1000
_CREATE = "CREATE TABLE bench_messages LIKE messages"
_DROP = "DROP TABLE IF EXISTS bench_messages"
_INSERT = """INSERT INTO {table} (application_token, chat_number, message_number, body,
 created_at, updated_at, version, acceptance) VALUES """
_ROW = "(%s, %s, %s, %s, %s, %s, 1, %s)"

Row = tuple[object, ...]


def raw_insert(database: Database, chat: Chat, bodies: Sequence[str]) -> float:
    """Rows a second."""
    rows = rows_of(chat, bodies)
    database.execute(_DROP)
    database.execute(_CREATE)
    try:
        before = time.perf_counter()
        insert(database, "bench_messages", rows)
        return len(rows) / (time.perf_counter() - before)
    finally:
        database.execute(_DROP)


def rows_of(chat: Chat, bodies: Sequence[str], first: int = 1) -> list[Row]:
    """Messages of the chat, numbered from `first` on."""
    now = datetime.now(UTC).replace(tzinfo=None)
    return [
        (chat.token, chat.number, number, body, now, now, uuid4().hex)
        for number, body in enumerate(bodies, start=first)
    ]


def insert(database: Database, table: str, rows: Sequence[Row]) -> None:
    """All of them into this table, a transaction for each statement."""
    for start in range(0, len(rows), _PER_STATEMENT):
        _insert(database, table, rows[start : start + _PER_STATEMENT])


def _insert(database: Database, table: str, rows: Sequence[Row]) -> None:
    # Not executemany: it splits at 64 KiB, and each piece would be a transaction.
    statement = _INSERT.format(table=table) + ",".join([_ROW] * len(rows))
    database.execute(statement, *[value for row in rows for value in row])
