"""`drain`: how many rows a second a worker stores of a backlog, beside what the table could take.

The backlog is queued while the worker is stopped; the clock runs from the first row that is seen
stored, so the worker's start does not count. The numbers are made up, not taken from the product,
so the chat's ceiling is raised over them afterwards.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from bench import product, texts
from bench.database import Database
from bench.errors import BenchError
from bench.product import Chat
from bench.raw_insert import raw_insert
from bench.report import Figure, print_table, write
from bench.services import services
from bench.stack_worker import StackWorker
from bench.task_messages import publish_rows
from bench.waiting import wait_until

_FIRST_ROW_SECONDS = 600.0
_ALL_ROWS_SECONDS = 1800.0


@dataclass(frozen=True)
class Drained:
    """One backlog, worked off."""

    per_task: int
    published_per_s: float
    stored_per_s: float
    raw_per_s: float


def drain(*, rows: int, per_task: Sequence[int], manage_worker: bool) -> None:
    """Measure and report. Raises BenchError when not every row is stored once."""
    places = services()
    database = Database(places.database_url)
    worker = StackWorker(managed=manage_worker)
    bodies = texts.bodies(rows)
    done = []
    for size in per_task:
        chat = product.new_chat(places.base_url)
        raw = raw_insert(database, chat, bodies)
        worker.stop()
        try:
            published = _publish(chat, bodies, size)
        finally:
            worker.start()
        done.append(Drained(size, published, _stored_per_s(database, chat, rows), raw))
    _report(rows, done)


def _publish(chat: Chat, bodies: Sequence[str], size: int) -> float:
    before = time.perf_counter()
    for start in range(0, len(bodies), size):
        publish_rows(chat.token, chat.number, start + 1, bodies[start : start + size])
    return len(bodies) / (time.perf_counter() - before)


def _stored_per_s(database: Database, chat: Chat, rows: int) -> float:
    # The highest number costs one look at the index, however many rows there are.
    wait_until(
        lambda: product.highest_message(database, chat), _FIRST_ROW_SECONDS, "a row is stored", 0.02
    )
    already, before = product.count_messages(database, chat), time.perf_counter()
    if already >= rows:
        raise BenchError(f"{rows} rows are too few: all were stored at the first look")
    wait_until(
        lambda: (
            product.highest_message(database, chat) >= rows
            and product.count_messages(database, chat) >= rows
        ),
        _ALL_ROWS_SECONDS,
        f"{rows} rows are stored",
        every=0.02,
    )
    seconds = time.perf_counter() - before
    product.raise_ceiling(database, chat, rows)
    if not product.stored(database, chat).has_every_number_once:
        raise BenchError("the numbers stored are not 1 to N, each once")
    return (rows - already) / seconds


def _report(rows: int, done: Sequence[Drained]) -> None:
    raw = median(each.raw_per_s for each in done)
    print(f"{rows} rows each time; plain INSERTs of 1000 rows: {raw:.0f} rows/s (median)")
    print_table(
        ("rows a task", "published/s", "stored/s", "/ plain INSERT"),
        [
            (
                str(each.per_task),
                f"{each.published_per_s:.0f}",
                f"{each.stored_per_s:.0f}",
                f"{each.stored_per_s / raw:.2f}",
            )
            for each in done
        ],
    )
    figures = {
        f"drain_{each.per_task}_rows_per_s": Figure(
            each.stored_per_s, "rows/s", {"raw_insert": each.stored_per_s / raw}
        )
        for each in done
    }
    figures["raw_insert_rows_per_s"] = Figure(raw, "rows/s")
    write("drain", figures, {"rows": rows, "runs": [asdict(each) for each in done]})
