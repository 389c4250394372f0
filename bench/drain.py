"""`drain`: rows of a backlog that a worker stores a second, beside what the table could take.

The backlog is queued while no worker runs, then one worker is started. The clock runs from the
first row that is seen stored, so the worker's start does not count. The worker and plain INSERTs
have the machine to themselves in turns, and the stack's worker is stopped meanwhile.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from bench import BenchError, texts
from bench.processes import running, wait_until
from bench.product import Chat, Database, await_indexed, count_chats, new_chat
from bench.product_code import publish_rows
from bench.report import Figure, Results, middle, print_samples
from bench.rounds import interleave
from bench.services import control, services

_CHAT_SECONDS = 60.0
_FIRST_ROW_SECONDS = 120.0
_ALL_ROWS_SECONDS = 1800.0
_LOOK_SECONDS = 0.02
_PER_INSERT = 1000
_INSERT = """INSERT INTO bench_messages (application_token, chat_number, message_number, body,
 created_at, updated_at, version, acceptance) VALUES """
_ROW = "(%s, %s, %s, %s, %s, %s, 1, %s)"
#: As the worker of the stack, for the queues of rows alone.
WORKER = (
    *("-m", "celery", "--quiet", "-A", "chatsystem", "worker", "--hostname", "bench@%h"),
    *("--queues", "chats,messages", "--without-gossip", "--without-mingle"),
)


@dataclass(frozen=True)
class Drained:
    """One backlog; rates are in rows a second."""

    stored: float
    plain_insert: float


def drain(*, rows: int, per_task: Sequence[int], rounds: int) -> Results:
    """Measure and report. Raises BenchError when not every row is stored once."""
    database = Database(services().database_url)
    bodies = texts.bodies(rows)
    new = [new_chat(services().base_url) for _ in range(rounds * len(per_task))]
    for chat in new:
        is_stored = partial(count_chats, database, chat.token)
        wait_until(is_stored, _CHAT_SECONDS, "the chat is stored")
    chats = iter(new)
    await_indexed(database)

    def drained(size: int) -> Drained:
        return _drained(database, next(chats), bodies, size)

    control("stop", "worker")
    try:
        seen = interleave({str(size): partial(drained, size) for size in per_task}, rounds)
    finally:
        control("start", "worker")
    await_indexed(database)
    columns = {
        "stored/s": lambda one: one.stored,
        "plain INSERT/s": lambda one: one.plain_insert,
        "stored / plain": lambda one: one.stored / one.plain_insert,
    }
    print_samples(f"{rows} rows, by rows a task", seen, columns)
    figures = {}
    for size, backlogs in seen.items():
        ratio = {"raw_insert": middle(backlogs, lambda one: one.stored / one.plain_insert)}
        stored = middle(backlogs, lambda one: one.stored)
        figures[f"drain_{size}_rows_per_s"] = Figure(stored, "rows/s", ratio)
    every = [one for backlogs in seen.values() for one in backlogs]
    plain = middle(every, lambda one: one.plain_insert)
    figures["raw_insert_rows_per_s"] = Figure(plain, "rows/s")
    details = {size: list(map(asdict, backlogs)) for size, backlogs in seen.items()}
    return Results(figures, {"rows": rows, "rounds": details})


def _drained(database: Database, chat: Chat, bodies: Sequence[str], size: int) -> Drained:
    plain = _plain_inserts(database, chat, bodies)
    for start in range(0, len(bodies), size):
        publish_rows(chat.token, chat.number, start + 1, bodies[start : start + size])
    with running("worker", WORKER, {}):
        stored = _stored_per_s(database, chat, len(bodies))
    # The numbers are made up here, not given by the product.
    chat.raise_ceiling(database, len(bodies))
    if not chat.has_every_number_once(database):
        raise BenchError("the stored numbers are not 1 to N, each once")
    return Drained(stored, plain)


def _stored_per_s(database: Database, chat: Chat, rows: int) -> float:
    wait_until(lambda: chat.highest(database), _FIRST_ROW_SECONDS, "a row is stored", _LOOK_SECONDS)
    already, before = chat.count(database), time.perf_counter()
    if already >= rows:
        raise BenchError(f"{rows} rows are too few: all were stored at the first look")
    wait_until(
        lambda: chat.highest(database) >= rows and chat.count(database) >= rows,
        _ALL_ROWS_SECONDS,
        f"{rows} rows are stored",
        _LOOK_SECONDS,
    )
    return (rows - already) / (time.perf_counter() - before)


def _plain_inserts(database: Database, chat: Chat, bodies: Sequence[str]) -> float:
    """Rows a second by the database client alone, into an empty table with the same layout.

    A transaction for each 1,000 rows. Escaping them is the client's work and counts.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = [
        (chat.token, chat.number, number, body, now, now, uuid4().hex)
        for number, body in enumerate(bodies, start=1)
    ]
    database.execute("DROP TABLE IF EXISTS bench_messages")
    database.execute("CREATE TABLE bench_messages LIKE messages")
    try:
        before = time.perf_counter()
        for start in range(0, len(rows), _PER_INSERT):
            # Not executemany: it splits at 64 KiB, and each piece would be a transaction.
            some = rows[start : start + _PER_INSERT]
            values = [value for row in some for value in row]
            database.execute(_INSERT + ",".join([_ROW] * len(some)), *values)
        return len(rows) / (time.perf_counter() - before)
    finally:
        database.execute("DROP TABLE IF EXISTS bench_messages")
