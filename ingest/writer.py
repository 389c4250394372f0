"""The worker's task: store the rows of its message together with those of the next messages.

While the database is unavailable the worker waits in place: a requeued message would come back at
once and use up its deliveries.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from random import uniform
from typing import Any

from celery import Task, shared_task
from celery.exceptions import Reject
from django.db import Error, close_old_connections

from infra import worker_shutdown
from infra.database import close_connection
from infra.logs import Event, get_logger
from infra.service_errors import meaning_of
from infra.timeouts import (
    DATABASE_FIRST_PAUSE_SECONDS,
    DATABASE_LONGEST_PAUSE_SECONDS,
    DATABASE_OUTAGE_SECONDS,
)
from ingest.idempotent_insert import store_one_by_one, store_rows
from ingest.message_format import (
    NEXT_STORE_ROWS_TASK,
    STORE_ROWS_TASK,
    UnknownFormat,
    read_envelope,
    read_message,
)
from ingest.metrics import BATCH_ROWS, BATCH_SECONDS, STORED
from ingest.post_commit import finish_queued
from ingest.queue_drain import SUSPECT_AFTER, Delivery, QueueDrain, delivery_attempts
from ingest.records import NumberedRow

logger = get_logger(__name__)


class GaveUp(Exception):
    """The database was unavailable for too long, or this worker is shutting down."""


def retry_while_database_is_down(work: Callable[[], None], meanwhile: Callable[[], None]) -> None:
    """Repeat `work` until it succeeds; call `meanwhile` before each repetition.

    It repeats after any error of the database. `work` itself deals with rows that are refused; any
    other error passes, be it an outage, a missing migration or an unknown error. Raises GaveUp, and
    errors of `work` that are not the database's.
    """
    until = time.monotonic() + DATABASE_OUTAGE_SECONDS
    longest = DATABASE_FIRST_PAUSE_SECONDS
    while True:
        try:
            return work()
        except Error as error:
            meaning_of(error)  # logs an unknown error
            close_connection()
            logger.warning(Event.ROWS_WAIT, error=error)
            if (
                worker_shutdown.wait_for_shutdown(uniform(longest / 2, longest))  # noqa: S311
                or time.monotonic() > until
            ):
                raise GaveUp(str(error)) from error
        meanwhile()
        longest = min(2 * longest, DATABASE_LONGEST_PAUSE_SECONDS)


#: A batch ends with the message that reaches one of these limits. Two full statements in one
#: transaction are a tenth faster than one, because they share the cost of the commit.
MAX_BATCH_ROWS = 2000
MAX_BATCH_BYTES = 4 * 1024 * 1024
#: Twice as many are prefetched: one batch is being stored, the next one is on its way. Not more:
#: all of them come again if this process is killed, and may then be suspect.
MAX_BATCH_MESSAGES = 200
#: A batch waits this long for more messages: several cost hardly more than one. The first message
#: after a pause of this length is stored at once, since somebody may wait for its event.
COMPANY_SECONDS = 0.05
#: A task works on a backlog for this long; then it is the other queue's turn.
TURN_SECONDS = 1.0

_drain = QueueDrain()
#: When this process last stored a batch, in time.monotonic.
_stored_at = 0.0
_stored = STORED.labels("worker")


class _Batch:
    """Rows to store together, and the messages taken for them besides the task's own."""

    def __init__(self, rows: Sequence[NumberedRow] = ()) -> None:
        self.messages = 1 if rows else 0
        self.rows: list[NumberedRow] = []
        self.taken: list[Delivery] = []
        #: This message ended the batch; it is handled alone.
        self.suspect: Delivery | None = None
        #: Whether no message follows in this turn.
        self.is_last = False
        self._size = 0
        self._add(rows)

    def take(self, delivery: Delivery, rows: Sequence[NumberedRow]) -> None:
        """Add a message and its rows."""
        self.messages += 1
        self.taken.append(delivery)
        self._add(rows)

    def _add(self, rows: Sequence[NumberedRow]) -> None:
        self.rows += rows
        self._size += sum(row.size for row in rows)

    @property
    def is_full(self) -> bool:
        """Whether a limit is reached."""
        is_long = len(self.rows) >= MAX_BATCH_ROWS or self.messages >= MAX_BATCH_MESSAGES
        return is_long or self._size >= MAX_BATCH_BYTES


def _store_queued_rows(self: "Task[..., None]", envelope: dict[str, Any]) -> None:
    """Store the rows of this message together with those of more messages of the same queue."""
    close_old_connections()
    # The default exchange routes by the queue's name.
    queue = str((self.request.delivery_info or {}).get("routing_key"))
    try:
        rows = read_envelope(envelope)
        if delivery_attempts(vars(self.request)) < SUSPECT_AFTER:
            _store_with_more(queue, rows)
        else:
            _store_patiently(store_one_by_one, rows)
    except UnknownFormat as error:
        _report_unreadable(queue, error)
        raise Reject(type(error).__name__, requeue=False) from error
    except GaveUp as error:
        _drain.drop()
        raise Reject(type(error).__name__, requeue=True) from error
    except Exception as error:
        _drain.drop()
        logger.exception(Event.ROWS_FAILED, queue=queue)
        raise Reject(type(error).__name__, requeue=True) from error


store_queued_rows = shared_task(bind=True, name=STORE_ROWS_TASK)(_store_queued_rows)
shared_task(bind=True, name=NEXT_STORE_ROWS_TASK)(_store_queued_rows)


def _store_with_more(queue: str, rows: list[NumberedRow]) -> None:
    global _stored_at  # noqa: PLW0603 - one for the whole process
    over = time.monotonic() + TURN_SECONDS
    batch = _Batch(rows)
    batch.is_last = time.monotonic() - _stored_at >= COMPANY_SECONDS
    if not batch.is_last:
        _drain.send_ahead(queue, 2 * MAX_BATCH_MESSAGES)
    while True:
        if not batch.is_last:
            _take_more(queue, batch, 0 if worker_shutdown.wait_for_shutdown(0) else over)
        _store_batch(queue, batch)
        _stored_at = time.monotonic()
        if batch.is_last:
            return
        batch = _Batch()


def _take_more(queue: str, batch: _Batch, over: float) -> None:
    """Add messages until the batch is full, the wait is over, or a suspect one comes."""
    until = min(time.monotonic() + COMPANY_SECONDS, over)
    while not batch.is_full:
        delivery = _drain.next(until)
        if delivery is None:
            batch.is_last = True
            return
        if delivery.attempts >= SUSPECT_AFTER:
            batch.suspect = delivery
            return
        if (more := _read(queue, delivery)) is not None:
            batch.take(delivery, more)


def _store_batch(queue: str, batch: _Batch) -> None:
    began = time.monotonic()
    if batch.rows:
        _store_patiently(partial(store_rows, drop_superseded=True), batch.rows)
    if batch.taken:
        _drain.acknowledge(batch.taken[-1])
    logger.debug(
        Event.ROWS_STORED,
        queue=queue,
        rows=len(batch.rows),
        messages=batch.messages,
        seconds=round(time.monotonic() - began, 3),
    )
    if batch.suspect and (suspect_rows := _read(queue, batch.suspect)) is not None:
        _store_patiently(store_one_by_one, suspect_rows)
        _drain.acknowledge(batch.suspect)


def _read(queue: str, delivery: Delivery) -> list[NumberedRow] | None:
    """The rows of the message; None if it cannot be read, after moving it to `failed`."""
    try:
        return read_message(delivery.body)
    except UnknownFormat as error:
        _report_unreadable(queue, error)
        _drain.refuse(delivery)
        return None


def _report_unreadable(queue: str, error: UnknownFormat) -> None:
    logger.error(Event.MESSAGE_REFUSED, queue=queue, error=error)


def _store_patiently(
    store: Callable[[Sequence[NumberedRow]], None], rows: Sequence[NumberedRow]
) -> None:
    with BATCH_SECONDS.time():
        retry_while_database_is_down(lambda: store(rows), meanwhile=_drain.stay_alive)
    BATCH_ROWS.observe(len(rows))
    _stored.inc(len(rows))
    # A second step: repeating both would compare stored rows with strangers each time.
    retry_while_database_is_down(lambda: finish_queued(rows), meanwhile=_drain.stay_alive)
