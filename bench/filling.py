"""Many rows put into the product's tables by the database alone, and removed afterwards.

Applications of their own get chats and messages by INSERT … SELECT. Counts and ceilings fit, so an
audit finds nothing wrong meanwhile. Redis and the queues do not get these rows. The search index
gets them only on request.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench import BenchError, texts
from bench.processes import wait_until
from bench.product import Chat, Database
from bench.product_code import index_rows, is_index_complete, new_key, unindex_rows
from bench.routes import DIFFERENT_TEXTS

_NAME = "bench: filled"
_TOKEN_BYTES = 12
_ROWS_AT_ONCE = 50_000
_REMOVED_AT_ONCE = 20_000
_INDEX_SECONDS = 120.0
_PURGE_SECONDS = 300.0
_TOKENS_AT_ONCE = 500
_UNPURGED = 1000

_APPLICATION = """INSERT INTO applications
 (token, key_hash, name, chats_count, number_ceiling, count_state, created_at, updated_at, version)
 VALUES (%s, %s, %s, %s, %s, 0, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 1)"""
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

_TOKENS = "SELECT token FROM applications WHERE name = %s"

#: Children first, so that no row is seen without its parent.
_TABLES = {
    "messages": "application_token",
    "chats": "application_token",
    "events": "application_token",
    "applications": "token",
}


@contextmanager
def filled(
    database: Database,
    *,
    chats: int,
    messages: int,
    applications: int = 1,
    is_indexed: bool = False,
) -> Iterator[Sequence[Chat]]:
    """Yield new chats of `messages` messages each; each application has chats 1 to `chats`.

    Raises BenchError when the rows cannot be stored or removed. The rows of a run that was killed
    are removed by the next run.
    """
    with removed(database, _NAME):
        made = [_fill(database, chats, messages) for _ in range(applications)]
        refresh_statistics(database)
        if is_indexed:
            index_rows([chat.token for chat, *_ in made])
        yield [chat for several in made for chat in several]


def refresh_statistics(database: Database) -> None:
    """Let the optimizer know of many new rows, which it would only learn of later."""
    database.execute("ANALYZE TABLE applications, chats, messages")


@contextmanager
def removed(database: Database, name: str) -> Iterator[None]:
    """Remove all applications of this name, with what is in them, before and after the block."""
    # An index that is being built is filled from the table, so it would get these rows.
    wait_until(is_index_complete, _INDEX_SECONDS, "the search index is complete")
    _remove(database, name)
    try:
        yield
    finally:
        _remove(database, name)
        # Until then the server's own cleaning would slow what follows.
        wait_until(lambda: _is_purged(database), _PURGE_SECONDS, "removed rows are purged", 0.5)


def _fill(database: Database, chats: int, messages: int) -> list[Chat]:
    """The chats of a new application."""
    token, (key, key_hash) = secrets.token_hex(_TOKEN_BYTES), new_key()
    database.execute(_APPLICATION, token, key_hash, _NAME, chats, chats)
    database.execute(_CHATS.format(chats), token, messages, messages)
    bodies = texts.bodies(DIFFERENT_TEXTS)
    marks = ", ".join(["%s"] * len(bodies))
    at_once = max(1, _ROWS_AT_ONCE // chats)
    for first in range(1, messages + 1, at_once):
        last = min(first + at_once - 1, messages)
        statement = _MESSAGES.format(len(bodies), marks, chats, first, last)
        database.execute(statement, token, *bodies)
    made = [Chat(token, number, key) for number in range(1, chats + 1)]
    for chat in (made[0], made[-1]):
        if chat.count(database) != messages or not chat.has_every_number_once(database):
            raise BenchError(f"chat {chat.number} does not hold messages 1 to {messages}")
    return made


def _remove(database: Database, name: str) -> None:
    """Remove all applications of this name, with what is in them."""
    tokens = [one for [one] in database.execute(_TOKENS, name)]
    if not tokens:
        return
    for start in range(0, len(tokens), _TOKENS_AT_ONCE):
        some = tokens[start : start + _TOKENS_AT_ONCE]
        marks = ", ".join(["%s"] * len(some))
        for table, column in _TABLES.items():
            statement = f"DELETE FROM {table} WHERE {column} IN ({marks}) LIMIT {_REMOVED_AT_ONCE}"  # noqa: S608
            removed = _REMOVED_AT_ONCE
            while removed == _REMOVED_AT_ONCE:
                database.execute(statement, *some)
                removed = database.number("SELECT ROW_COUNT()")
    unindex_rows(tokens)
    refresh_statistics(database)


def _is_purged(database: Database) -> bool:
    [(_, length)] = database.execute("SHOW GLOBAL STATUS LIKE 'Innodb_history_list_length'")
    return int(length) < _UNPURGED
