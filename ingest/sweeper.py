"""Pending rows that cannot be read are set aside like rows that cannot be stored.

The sweeper: stores what is pending for so long that its message must have been lost.

It goes by Redis's clock, stores by the workers' own insert and never queues anything. While workers
are busy it leaves them what was accepted after the rows that they store: those messages are still
to come. It also finds out when nothing that was queued before this epoch can come any more.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import NAMESPACE_OID, uuid5

from django.utils import timezone

from infra.jobs import Run, only_run
from infra.logs import Event, get_logger
from infra.metrics import STORED
from infra.rabbitmq.connection import BrokerUnavailable, messages_waiting
from ingest import pending as overdue
from ingest.dead_letters.set_aside import Letter, keep
from ingest.idempotent_insert import store_rows
from ingest.numbering.fencing import verify_if_restarted
from ingest.numbering.models import NumberAuthority
from ingest.pending import Undecodable, read_member, remove_member
from ingest.post_commit import finish_unqueued
from ingest.records import NumberedRow, record_type_of_parent, record_types
from ingest.redis_keys import parent_key


def set_unreadable_aside(parent: str, member: bytes, error: Undecodable) -> None:
    """Keep the member as a dead letter, once, and then take it out of what pends.

    Its acceptance is made from what it is. Raises NoRedis, OperationalError.
    """
    key = parent_key(parent)
    kind = record_type_of_parent(key).name
    text = member.decode(errors="backslashreplace")
    number, _, _ = text.partition(" ")
    place = (key, int(number) if number.isdecimal() else None)
    letter = Letter(kind=kind, queue=kind, key=key, payload=text, place=place)
    keep(uuid5(NAMESPACE_OID, f"{parent} {text}"), letter, f"cannot be read: {error}")
    remove_member(parent, member)


logger = get_logger(__name__)

JOB = "sweep"
AGE_MS = 60_000
#: A longer sweep is ended, and the next one goes on.
LIMIT_SECONDS = 300.0
#: What was queued before an epoch is looked for when the epoch is so old.
SETTLED_AFTER = timedelta(minutes=2)

MAX_ROWS = 1000
MAX_BYTES = 4 * 1024 * 1024
PARENTS = 200
FIRST_ROWS = 5
FURTHER_ROWS = 250

_stored = STORED.labels("sweeper")


@dataclass
class Swept:
    """What a sweep did.

    `stored` rows, those that were stored already included; `set_aside`, what could not be read;
    `left`, parents of which old rows stay pending, since their messages are still to come;
    `is_drained`, whether nothing from before this epoch is queued any more.
    """

    stored: int = 0
    set_aside: int = 0
    left: int = 0
    is_complete: bool = True
    is_drained: bool = False


def sweep(*, of_any_age: bool = False) -> Swept:
    """Store all rows that are pending for more than a minute.

    `of_any_age`: all that pend, where nothing is queued and nobody accepts anything.
    Raises NoRedis, infra.jobs.JobIsRunning, and OperationalError when the database fails: what is
    not stored then stays pending.
    """
    with only_run(JOB) as run:
        authority = verify_if_restarted()
        swept = Swept()
        _sweep(run, swept, of_any_age=of_any_age)
        swept.is_drained = authority.is_drained or _mark_if_drained(authority, swept)
        run.outcome = vars(swept)
        return swept


def _sweep(run: Run, swept: Swept, *, of_any_age: bool) -> None:
    accepted_by = overdue.redis_time() - (0 if of_any_age else AGE_MS)
    end = time.monotonic() + LIMIT_SECONDS
    while parents := overdue.parents_with_pending(accepted_by, swept.left, PARENTS):
        progress = {} if of_any_age else overdue.writer_progress(record_types())
        due = {kind: min(accepted_by, progress.get(kind, accepted_by)) for kind in record_types()}
        for rows in _batches(_due_rows(parents, due, swept, run)):
            run.still_alive()
            store_rows(rows)
            finish_unqueued(rows)
            swept.stored += len(rows)
            _stored.inc(len(rows))
            if time.monotonic() > end:
                break  # one parent may have more than a sweep has time for
        run.still_alive()
        swept.left += overdue.tidy_index(parents, accepted_by)
        if time.monotonic() > end:
            swept.is_complete = False
            return


def _due_rows(
    parents: Sequence[str], due: Mapping[str, int], swept: Swept, run: Run
) -> Iterator[NumberedRow]:
    """The rows of these parents that were accepted by when those of their kind are due."""
    for parent, first in overdue.first_pending_of_each(parents, FIRST_ROWS).items():
        key = parent_key(parent)
        for member in _members(parent, first):
            try:
                pending = read_member(key, member)
            except Undecodable as error:
                set_unreadable_aside(parent, member, error)
                swept.set_aside += 1
                run.still_alive()
                continue
            if pending.accepted_ms > due[record_type_of_parent(key).name]:
                break  # what follows was accepted later
            yield pending.row


def _members(parent: str, first: Sequence[overdue.ScoredMember]) -> Iterator[bytes]:
    """All pending rows of the parent, of which these are the first, in pages."""
    page, asked = first, FIRST_ROWS
    while page:
        yield from (member for member, _ in page)
        if len(page) < asked:
            return
        asked = FURTHER_ROWS
        page = overdue.pending_after(parent, page[-1][1], asked)


def _batches(rows: Iterable[NumberedRow]) -> Iterator[list[NumberedRow]]:
    batch: list[NumberedRow] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += row.size
        if len(batch) == MAX_ROWS or size >= MAX_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _mark_if_drained(authority: NumberAuthority, swept: Swept) -> bool:
    """Note that nothing queued before this epoch still is, if so; `authority` is from before."""
    if swept.left or not swept.is_complete or timezone.now() - authority.since < SETTLED_AFTER:
        return False
    try:
        if messages_waiting(*record_types()):
            return False
    except BrokerUnavailable as error:
        logger.info(Event.SWEEP_FAILED, error=error)
        return False
    # Another epoch that has begun meanwhile is not what was looked at.
    return bool(NumberAuthority.objects.filter(epoch=authority.epoch).update(is_drained=True))
