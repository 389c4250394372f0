"""The task that stores what was queued: the rows of its message and of those that wait behind it.

Rows are acknowledged only after they are stored, so a worker may be killed anywhere: what it held
comes again, and is then dropped as known. A message is lost nowhere: what cannot be read, or was
handed out too often, is kept in the queue of the failed.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from celery import Task, shared_task
from celery.exceptions import Reject
from django.db import close_old_connections

from core import ending
from core.accept.envelope import TASK, UnknownFormat, rows_of, rows_of_body
from core.accept.patience import GaveUp, patiently
from core.accept.settled import settle
from core.accept.storing import store_each, store_numbered
from core.broker.draining import SUSPECT_AFTER, Delivery, Drain, attempts
from core.logs import Event, get_logger
from core.metrics import BATCH_ROWS, BATCH_SECONDS, STORED
from core.rows import NumberedRow

logger = get_logger(__name__)

#: A batch ends with the message that reaches one of these. Two full statements in one transaction
#: are a tenth quicker than one: what a batch costs besides its rows is halved.
MAX_ROWS = 2000
MAX_BYTES = 4 * 1024 * 1024
#: As many again are sent ahead: one batch is stored, one is on its way. But not too many: they all
#: come again when this process is killed, and may be suspect.
MAX_MESSAGES = 200
#: A batch waits so long for company: some messages together cost hardly more than one alone, and
#: nobody waits for the table.
COMPANY_SECONDS = 0.1
#: Of a backlog one batch after the other is stored for so long; then it is the other queue's turn.
TURN_SECONDS = 1.0

_drain = Drain()
_stored = STORED.labels("worker")


class _Batch:
    """Rows that are to be stored together, and the messages that were taken for them.

    The rows of the first batch came with the task's own message.
    """

    def __init__(self, rows: Sequence[NumberedRow] = ()) -> None:
        self.messages = 1 if rows else 0
        self.rows: list[NumberedRow] = []
        self.taken: list[Delivery] = []
        #: This one ended the batch, and is to go alone.
        self.suspect: Delivery | None = None
        #: Whether nothing is left that was sent ahead.
        self.is_last = False
        self._size = 0
        self._add(rows)

    def take(self, delivery: Delivery, rows: Sequence[NumberedRow]) -> None:
        """These too."""
        self.messages += 1
        self.taken.append(delivery)
        self._add(rows)

    def _add(self, rows: Sequence[NumberedRow]) -> None:
        self.rows += rows
        self._size += sum(row.size for row in rows)

    @property
    def is_full(self) -> bool:
        """Whether the message before was the last."""
        is_long = len(self.rows) >= MAX_ROWS or self.messages >= MAX_MESSAGES
        return is_long or self._size >= MAX_BYTES


@shared_task(bind=True, name=TASK)
def store_rows(self: "Task[..., None]", envelope: dict[str, Any]) -> None:
    """Store the rows of this message, and with them those of further ones of the same queue."""
    close_old_connections()
    queue = _queue(self)
    try:
        rows = rows_of(envelope)
        if attempts(vars(self.request)) < SUSPECT_AFTER:
            _store_with_more(queue, rows)
        else:
            _store(store_each, rows)
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


def _store_with_more(queue: str, rows: list[NumberedRow]) -> None:
    over = time.monotonic() + TURN_SECONDS
    batch = _Batch(rows)
    _drain.send_ahead(queue, 2 * MAX_MESSAGES)
    while True:
        _take_more(queue, batch, 0 if ending.wait(0) else over)
        _store_batch(queue, batch)
        if batch.is_last:
            return
        batch = _Batch()


def _take_more(queue: str, batch: _Batch, over: float) -> None:
    """Add what comes until it is full, or has waited, or one is to go alone."""
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
        _store(store_numbered, batch.rows)
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
        _store(store_each, suspect_rows)
        _drain.acknowledge(batch.suspect)


def _read(queue: str, delivery: Delivery) -> list[NumberedRow] | None:
    """The rows of the message; without any it is set aside, since it cannot be read."""
    try:
        return rows_of_body(delivery.body)
    except UnknownFormat as error:
        _report_unreadable(queue, error)
        _drain.refuse(delivery)
        return None


def _report_unreadable(queue: str, error: UnknownFormat) -> None:
    logger.error(Event.MESSAGE_REFUSED, queue=queue, error=error)


def _queue(task: "Task[..., None]") -> str:
    """Where the task's message came from; the default exchange routes by the queue's name."""
    return str((task.request.delivery_info or {}).get("routing_key"))


def _store(store: Callable[[Sequence[NumberedRow]], None], rows: Sequence[NumberedRow]) -> None:
    with BATCH_SECONDS.time():
        patiently(lambda: store(rows), meanwhile=_drain.stay_alive)
    BATCH_ROWS.observe(len(rows))
    _stored.inc(len(rows))
    # Not in one: rows that are stored would have to be told from strangers each time.
    patiently(lambda: settle(rows), meanwhile=_drain.stay_alive)
