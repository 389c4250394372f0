"""The sweeper stores rows that have been pending for so long that their message must be lost.

While workers are busy it skips rows that were accepted after those that they store now: their
messages are still queued. It also finds out when no message from before this epoch can arrive.
"""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import NAMESPACE_OID, uuid5

from django.utils import timezone

from infra.jobs import Run, only_run
from infra.logs import Event, get_logger
from infra.rabbitmq.connection import BrokerUnavailable, messages_waiting
from infra.redis_client import RedisUnavailable, Shard, shards
from ingest import pending_index
from ingest.dead_letters.set_aside import Letter, keep
from ingest.idempotent_insert import store_rows
from ingest.message_format import Undecodable, read_member
from ingest.metrics import STORED
from ingest.models import NumberAuthority
from ingest.numbering.fencing import verify_if_restarted
from ingest.pending_index import remove_member
from ingest.post_commit import finish_unqueued
from ingest.records import NumberedRow, record_type_of_parent, record_types
from ingest.redis_keys import parent_key


def set_unreadable_aside(parent: str, member: bytes, error: Undecodable) -> None:
    """Keep the member as a dead letter, once, then remove it from the pending rows.

    Its acceptance id is a digest of its content. Raises RedisUnavailable, OperationalError.
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
#: A sweep ends after this time, and the next one goes on.
LIMIT_SECONDS = 300.0
#: From this age of an epoch on, look for messages from before it.
SETTLED_AFTER = timedelta(minutes=2)

MAX_ROWS = 1000
MAX_BYTES = 4 * 1024 * 1024
PARENTS = 200
FIRST_ROWS = 5
FURTHER_ROWS = 250

_stored = STORED.labels("sweeper")


@dataclass
class Swept:
    """The result of a sweep.

    `stored`: rows stored, including those that were stored already. `set_aside`: members that could
    not be read. `left`: parents with old rows whose messages are still queued. `is_drained`: no
    message from before this epoch is queued.
    """

    stored: int = 0
    set_aside: int = 0
    left: int = 0
    is_complete: bool = True
    is_drained: bool = False


def sweep(*, of_any_age: bool = False) -> Swept:
    """Store all rows that have been pending for more than a minute.

    `of_any_age`: all pending rows, for a service that accepts nothing and has empty queues.
    Raises RedisUnavailable, JobIsRunning, and OperationalError if the database fails; rows that
    are not stored then stay pending.
    """
    with only_run(JOB) as run:
        swept, away = Swept(is_drained=True), None
        end = time.monotonic() + LIMIT_SECONDS
        # In another order each time: a shard with very many rows must not keep the others waiting.
        for shard in random.sample(shards(), len(shards())):
            try:
                _sweep(run, shard, swept, end, of_any_age=of_any_age)
            except RedisUnavailable as error:
                away = error
        if away:
            raise away
        run.outcome = vars(swept)
        return swept


def _sweep(run: Run, shard: Shard, swept: Swept, end: float, *, of_any_age: bool) -> None:
    authority = verify_if_restarted(shard)
    accepted_by = pending_index.redis_time(shard) - (0 if of_any_age else AGE_MS)
    left, is_complete = 0, True
    while parents := pending_index.parents_with_pending(shard, accepted_by, left, PARENTS):
        progress = {} if of_any_age else pending_index.writer_progress(shard, record_types())
        due = {kind: min(accepted_by, progress.get(kind, accepted_by)) for kind in record_types()}
        for rows in _batches(_due_rows(shard, parents, due, swept, run)):
            run.still_alive()
            store_rows(rows)
            finish_unqueued(rows)
            swept.stored += len(rows)
            _stored.inc(len(rows))
            if time.monotonic() > end:
                break  # one parent may have more rows than a sweep has time for
        run.still_alive()
        left += pending_index.tidy_index(shard, parents, accepted_by)
        if time.monotonic() > end:
            is_complete = False
            break
    swept.left += left
    swept.is_complete &= is_complete
    is_drained = authority.is_drained or (is_complete and not left and _mark_if_drained(authority))
    swept.is_drained &= is_drained


def _due_rows(
    shard: Shard, parents: Sequence[str], due: Mapping[str, int], swept: Swept, run: Run
) -> Iterator[NumberedRow]:
    """The rows of these parents that are due, by the due time of their record type."""
    for parent, first in pending_index.first_pending_of_each(shard, parents, FIRST_ROWS).items():
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
                break  # the next rows were accepted later
            yield pending.row


def _members(parent: str, first: Sequence[pending_index.ScoredMember]) -> Iterator[bytes]:
    """All pending rows of the parent, page by page; `first` is the first page."""
    page, asked = first, FIRST_ROWS
    while page:
        yield from (member for member, _ in page)
        if len(page) < asked:
            return
        asked = FURTHER_ROWS
        page = pending_index.pending_after(parent, page[-1][1], asked)


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


def _mark_if_drained(authority: NumberAuthority) -> bool:
    """Note if no message from before this epoch is queued; `authority` is from before the sweep."""
    if timezone.now() - authority.since < SETTLED_AFTER:
        return False
    try:
        if messages_waiting(*record_types()):
            return False
    except BrokerUnavailable as error:
        logger.info(Event.SWEEP_FAILED, error=error)
        return False
    # An epoch that began meanwhile was not checked.
    row = NumberAuthority.objects.filter(pk=authority.pk, epoch=authority.epoch)
    return bool(row.update(is_drained=True))
