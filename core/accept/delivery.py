"""Delivery of numbered rows: one task message for each queue, or straight into the database.

A message whose confirm did not come may have arrived: the row is then stored twice by the same
insert, which drops the second. A row that cannot be delivered now stays pending, and the sweeper
delivers it.
"""

from collections import defaultdict
from collections.abc import Sequence

from django.db import DatabaseError, InterfaceError

from core.accept.envelope import task_message
from core.accept.settled import settle_unqueued
from core.accept.storing import store_numbered
from core.broker.publisher import BrokerAway, is_configured, publisher
from core.logs import Event, get_logger
from core.metrics import ACCEPT_SECONDS, ACCEPTED
from core.rows import Kind, NumberedRow

logger = get_logger(__name__)

_publish_seconds, _insert_seconds = map(ACCEPT_SECONDS.labels, ("publish", "insert"))
_queued, _inserted = map(ACCEPTED.labels, ("queue", "insert"))


class NotDelivered(Exception):
    """Neither the queue nor the database takes the rows now."""


def deliver(rows: Sequence[NumberedRow]) -> None:
    """Return when the rows are in their queue or in the database. Raises NotDelivered."""
    by_kind: defaultdict[Kind, list[NumberedRow]] = defaultdict(list)
    for row in rows:
        by_kind[row.kind].append(row)
    for kind, of_kind in by_kind.items():
        if not _publish(kind, of_kind):
            _insert(of_kind)


def _publish(kind: Kind, rows: Sequence[NumberedRow]) -> bool:
    if not is_configured():
        return False
    try:
        with _publish_seconds.time():
            publisher().publish(kind.name, *task_message(rows))
    except BrokerAway:
        return False
    _queued.inc(len(rows))
    return True


def _insert(rows: Sequence[NumberedRow]) -> None:
    try:
        with _insert_seconds.time():
            store_numbered(rows)
    except (DatabaseError, InterfaceError) as error:
        requests = sorted({row.request_id for row in rows})
        logger.warning(Event.ROWS_PEND, rows=len(rows), error=error, request_ids=requests)
        raise NotDelivered(str(error)) from error
    _inserted.inc(len(rows))
    settle_unqueued(rows)
