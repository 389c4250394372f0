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
_INSERT = """INSERT INTO bench_messages (application_token, chat_number, message_number, body,
 created_at, updated_at, version, acceptance) VALUES """
_ROW = "(%s, %s, %s, %s, %s, %s, 1, %s)"


def raw_insert(database: Database, chat: Chat, bodies: Sequence[str]) -> float:
    """Rows a second."""
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = [
        (chat.token, chat.number, number, body, now, now, uuid4().hex)
        for number, body in enumerate(bodies, start=1)
    ]
    database.execute(_DROP)
    database.execute(_CREATE)
    try:
        before = time.perf_counter()
        for start in range(0, len(rows), _PER_STATEMENT):
            _insert(database, rows[start : start + _PER_STATEMENT])
        return len(rows) / (time.perf_counter() - before)
    finally:
        database.execute(_DROP)


def _insert(database: Database, rows: Sequence[Sequence[object]]) -> None:
    # Not executemany: it splits at 64 KiB, and each piece would be a transaction.
    statement = _INSERT + ",".join([_ROW] * len(rows))
    database.execute(statement, *[value for row in rows for value in row])
