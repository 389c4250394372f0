"""Many rows put into the product's tables by the database alone, and taken out of them again.

An application of its own gets chats, and they get messages, by INSERT … SELECT. Counts and ceilings
fit, so an audit finds nothing wrong meanwhile; neither Redis nor the queues nor the search index
know of these rows. They are removed afterwards, also after a failure; what a killed run has left is
removed by the next one.

Needs the product's settings and models to be set up.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bench import product, texts
from bench.database import Database
from bench.errors import BenchError
from bench.pieces import pieces
from bench.product import Chat
from bench.waiting import wait_until
from search.index.layout import layout

_NAME = "bench: filled"
_TOKEN_BYTES = 12
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
 FROM seq_{}_to_{}"""
_MESSAGES = """INSERT INTO messages
 (application_token, chat_number, message_number, body, created_at, updated_at, version, acceptance)
 SELECT %s, chats.seq, numbers.seq, ELT(1 + MOD(7 * chats.seq + numbers.seq, {}), {}),
 UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 1, UUID()
 FROM seq_{}_to_{} AS chats, seq_{}_to_{} AS numbers"""

#: Where the rows of an application are, children first: nobody is to see one without its parent.
_TABLES: Mapping[str, str] = {
    "messages": "application_token",
    "chats": "application_token",
    "applications": "token",
}


@contextmanager
def filled(database: Database, *, chats: int, messages: int) -> Iterator[str]:
    """The token of an application with so many chats, numbered from 1, of so many messages each.

    Raises BenchError when not all of them were stored, or cannot be removed.
    """
    # One that is being built is filled from the table, so it would get these rows too.
    wait_until(_is_index_complete, _INDEX_SECONDS, "the search index is complete")
    for [left] in database.execute("SELECT token FROM applications WHERE name = %s", _NAME):
        _remove(database, left)
    token = secrets.token_hex(_TOKEN_BYTES)
    try:
        _fill(database, token, chats, messages)
        yield token
    finally:
        _remove(database, token)
        wait_until(lambda: _is_purged(database), _PURGE_SECONDS, "removed rows are purged", 0.5)


def _is_index_complete() -> bool:
    found = layout()
    return found.live is not None and found.build is None


def _fill(database: Database, token: str, chats: int, messages: int) -> None:
    database.execute(_APPLICATION, token, _NAME, chats, chats)
    database.execute(_CHATS.format(1, chats), token, messages, messages)
    bodies = texts.bodies(_DIFFERENT_TEXTS)
    marks = ", ".join(["%s"] * len(bodies))
    for piece in pieces(chats, messages):
        database.execute(_MESSAGES.format(len(bodies), marks, *piece), token, *bodies)
    # The optimizer is to know of them now, not when its statistics are renewed.
    database.execute("ANALYZE TABLE chats, messages")
    for chat in (1, chats):
        stored = product.stored(database, Chat(token, chat))
        if stored.rows != messages or not stored.has_every_number_once:
            raise BenchError(f"chat {chat} was to have {messages} messages and has {stored}")


def _remove(database: Database, token: str) -> None:
    for table, column in _TABLES.items():
        statement = f"DELETE FROM {table} WHERE {column} = %s LIMIT {_REMOVED_AT_ONCE}"  # noqa: S608
        removed = _REMOVED_AT_ONCE
        while removed == _REMOVED_AT_ONCE:
            database.execute(statement, token)
            removed = database.number("SELECT ROW_COUNT()")
    database.execute("ANALYZE TABLE chats, messages")


def _is_purged(database: Database) -> bool:
    """Whether the server has hardly anything left to clear away, which would slow what follows."""
    [(_, length)] = database.execute("SHOW GLOBAL STATUS LIKE 'Innodb_history_list_length'")
    return int(length) < _UNPURGED
