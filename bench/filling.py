"""Many rows put into the product's tables by the database alone, and removed afterwards.

An application of its own gets chats and messages by INSERT … SELECT. Counts and ceilings fit, so an
audit finds nothing wrong meanwhile. Redis, the queues and the search index do not get these rows.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from bench import BenchError, texts
from bench.processes import wait_until
from bench.product import Chat, Database
from bench.product_code import is_index_complete

_NAME = "bench: filled"
_TOKEN_BYTES = 12
_ROWS_AT_ONCE = 50_000
_REMOVED_AT_ONCE = 20_000
_DIFFERENT_TEXTS = 500
_INDEX_SECONDS = 120.0
_PURGE_SECONDS = 300.0
_UNPURGED = 1000

_APPLICATION = """INSERT INTO applications
 (token, name, chats_count, number_ceiling, count_state, created_at, updated_at, version)
 VALUES (%s, %s, %s, %s, 0, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 1)"""
_CHATS = """INSERT INTO chats
 (application_token, chat_number, name, messages_count, number_ceiling, count_state,
 created_at, updated_at, version, acceptance)
 SELECT %s, seq, 'bench', %s, %s, 0, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 1, UUID()
 FROM seq_1_to_{}"""
_MESSAGES = """INSERT INTO messages
 (application_token, chat_number, message_number, body, created_at, updated_at, version, acceptance)
 SELECT %s, chats.seq, numbers.seq, ELT(1 + MOD(7 * chats.seq + numbers.seq, {}), {}),
 UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 1, UUID()
 FROM seq_1_to_{} AS chats, seq_{}_to_{} AS numbers"""

#: Children first, so that no row is seen without its parent.
_TABLES = {"messages": "application_token", "chats": "application_token", "applications": "token"}


@contextmanager
def filled(database: Database, *, chats: int, messages: int) -> Iterator[str]:
    """Yield the token of an application with chats 1 to `chats`, of `messages` messages each.

    Raises BenchError when the rows cannot be stored or removed. The rows of a run that was killed
    are removed by the next run.
    """
    # An index that is being built is filled from the table, so it would get these rows.
    wait_until(is_index_complete, _INDEX_SECONDS, "the search index is complete")
    for [left] in database.execute("SELECT token FROM applications WHERE name = %s", _NAME):
        _remove(database, left)
    token = secrets.token_hex(_TOKEN_BYTES)
    try:
        _fill(database, token, chats, messages)
        yield token
    finally:
        _remove(database, token)
        # Until then the server's own cleaning would slow what follows.
        wait_until(lambda: _is_purged(database), _PURGE_SECONDS, "removed rows are purged", 0.5)


def _fill(database: Database, token: str, chats: int, messages: int) -> None:
    database.execute(_APPLICATION, token, _NAME, chats, chats)
    database.execute(_CHATS.format(chats), token, messages, messages)
    bodies = texts.bodies(_DIFFERENT_TEXTS)
    marks = ", ".join(["%s"] * len(bodies))
    at_once = max(1, _ROWS_AT_ONCE // chats)
    for first in range(1, messages + 1, at_once):
        last = min(first + at_once - 1, messages)
        statement = _MESSAGES.format(len(bodies), marks, chats, first, last)
        database.execute(statement, token, *bodies)
    # Otherwise the optimizer learns of them only when its statistics are renewed.
    database.execute("ANALYZE TABLE chats, messages")
    for chat in (Chat(token, 1), Chat(token, chats)):
        if chat.count(database) != messages or not chat.has_every_number_once(database):
            raise BenchError(f"chat {chat.number} does not hold messages 1 to {messages}")


def _remove(database: Database, token: str) -> None:
    for table, column in _TABLES.items():
        statement = f"DELETE FROM {table} WHERE {column} = %s LIMIT {_REMOVED_AT_ONCE}"  # noqa: S608
        removed = _REMOVED_AT_ONCE
        while removed == _REMOVED_AT_ONCE:
            database.execute(statement, token)
            removed = database.number("SELECT ROW_COUNT()")
    database.execute("ANALYZE TABLE chats, messages")


def _is_purged(database: Database) -> bool:
    [(_, length)] = database.execute("SHOW GLOBAL STATUS LIKE 'Innodb_history_list_length'")
    return int(length) < _UNPURGED
