"""Recovery after an older copy of the database was restored: `new_epoch --restored`.

`recover` runs the steps in the only safe order: wait until no process gives numbers and the queues
are empty; store the rows pending in Redis; raise each ceiling above every known number; record the
lost numbers, so that an audit can tell them from a new loss; run the steps of higher layers; forget
which requests Redis remembers; begin a new epoch.

A restored ceiling is that of the backup. Higher numbers given since may still exist in Redis's
block, among the pending rows and the dead letters, or as a chat of which only messages are left.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import methodcaller

from django.db.models import Max, Q
from django.utils import timezone

from infra.database import in_transaction
from infra.errors import Unavailable
from infra.natural_keys import batches_by_pk, by_pk, in_pieces
from infra.rabbitmq.connection import messages_waiting
from infra.redis_client import ask_redis, redis_is_configured, scan_pages
from infra.timeouts import RESTORE_QUIET_SECONDS, WORKER_HOLDS_SECONDS
from ingest import redis_keys
from ingest.models import (
    DeadLetter,
    NumberAuthority,
    NumberingProcess,
    letters_of,
    purged_through,
)
from ingest.numbering.agent import ALIVE_WITHIN
from ingest.numbering.fencing import begin_epochs_by_hand
from ingest.numbering.leases import record_skip
from ingest.records import Key, RecordType, record_types
from ingest.redis_keys import parent_name
from ingest.sweeper import sweep
from operations.audit.gaps import lost, skip_of
from operations.audit.integrity import without_parent
from operations.audit.redis_state import read_numbers
from operations.audit.stats import pages, stats_of

PARENTS_PAGE = 200
_POLL_SECONDS = 0.2
#: Older than any epoch, so that the next number of the parent records the skip.
_NO_EPOCH = 0

Highest = dict[Key, int]

_registered: list[Callable[[], object]] = []


def register(step: Callable[[], object]) -> None:
    """Add a step, to be run when ceilings are raised; its owner calls this in ready()."""
    _registered.append(step)


class StillInUse(Unavailable):
    """A process still gives numbers, or rows are still queued or pending."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """The new epoch, and the numbers of rows stored, ceilings raised and numbers lost."""

    epoch: int
    stored: int
    raised: int
    lost: int


def recover(reason: str, *, skip: int, notice: Callable[[int], object]) -> Recovery:
    """Run all steps; each ceiling rises by `skip` above the highest known number.

    `notice` is called with the number of parents processed since the last call. If interrupted,
    completed steps stay done, and `recover` can be run again. Raises StillInUse, BrokerUnavailable,
    RedisUnavailable, infra.jobs.JobIsRunning and OperationalError.
    """
    await_quiet()
    stored = _store_pending() if redis_is_configured() else 0
    raised = raise_ceilings(skip, notice)
    lost = record_losses(reason, notice)
    for step in _registered:
        step()
    if redis_is_configured():
        # A repeat of a lost request must be executed again, not answered as if its row existed.
        forget_requests_in_redis()
    epoch = begin_epochs_by_hand(reason)
    # The queues are empty, so a row that is found nowhere is lost.
    NumberAuthority.objects.update(is_drained=True)
    return Recovery(epoch, stored, raised, lost)


def await_quiet() -> None:
    """Wait until no process gives numbers and the queues are empty.

    Raises StillInUse after RESTORE_QUIET_SECONDS, and BrokerUnavailable.
    """
    _await(
        lambda: not _is_numbering(),
        "A process still gives numbers: stop all web servers and imports first.",
    )
    _await(
        lambda: not messages_waiting(*record_types()),
        "Rows wait in the queues: let the workers store them, then run this command again.",
    )
    # Rows that a worker took from the queue and has not stored yet are in no queue.
    time.sleep(WORKER_HOLDS_SECONDS)


def _is_numbering() -> bool:
    return NumberingProcess.objects.filter(seen_at__gt=timezone.now() - ALIVE_WITHIN).exists()


def _await(condition: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + RESTORE_QUIET_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise StillInUse(otherwise)
        time.sleep(_POLL_SECONDS)


def _store_pending() -> int:
    swept = sweep(of_any_age=True)
    if not swept.is_complete or swept.left:
        raise StillInUse("More rows are pending than one sweep stores: run this command again.")
    return swept.stored


def raise_ceilings(skip: int, notice: Callable[[int], object]) -> int:
    """Raise each ceiling by `skip` above the highest known number; return how many rose.

    Raises RedisUnavailable if Redis is configured but does not answer: only Redis knows which
    numbers it has lent.
    """
    raised = 0
    for kind in record_types().values():
        rows = kind.parent._default_manager.only(kind.parent.shard_key)
        for page in batches_by_pk(rows, PARENTS_PAGE):
            raised += in_transaction(partial(_raise, kind, by_pk(page), skip))
            notice(len(page))
    return raised


def _raise(kind: RecordType, page: Q, skip: int) -> int:
    rows = kind.parent._default_manager.filter(page)
    parents = list(rows.select_for_update().order_by("pk"))
    known = _highest_known(kind, [parent.key for parent in parents])
    raised = [one for one in parents if skip or known[one.key] > one.number_ceiling]
    for parent in raised:
        parent.number_ceiling = max(parent.number_ceiling, known[parent.key]) + skip
        if parent.lease_epoch is None:
            parent.lease_epoch = _NO_EPOCH
    rows.bulk_update(raised, ["number_ceiling", "lease_epoch"])
    return len(raised)


def _highest_known(kind: RecordType, parents: Sequence[Key]) -> Mapping[Key, int]:
    """The highest number of each of these parents that is found anywhere."""
    found: defaultdict[Key, int] = defaultdict(int)
    sources = [
        *_highest_stored(kind, parents),
        _highest_dead_letters(kind, parents),
        _highest_in_redis(parents),
    ]
    for source in sources:
        for key, number in source.items():
            found[key] = max(found[key], number)
    return found


def _highest_stored(kind: RecordType, parents: Sequence[Key]) -> list[Highest]:
    """From the children, and from their own children: a child itself may be lost."""
    return [
        _highest_in_table(one, kind.key_fields, parents)
        for one in record_types().values()
        if one.key_fields[: len(kind.key_fields)] == kind.key_fields
    ]


def _highest_in_table(rows: RecordType, fields: Sequence[str], parents: Sequence[Key]) -> Highest:
    *shared, number = fields
    found: Highest = {}
    for wanted in in_pieces(shared, parents):
        groups = rows.model._default_manager.filter(wanted).order_by().values_list(*shared)
        found |= {tuple(key): top for *key, top in groups.annotate(Max(number))}
    return found


def _highest_dead_letters(kind: RecordType, parents: Sequence[Key]) -> Highest:
    names = {parent_name(parent): parent for parent in parents}
    letters = DeadLetter.objects.filter(
        letters_of(*[parent[0] for parent in parents]),
        kind=kind.name,
        parent__in=names,
        number__isnull=False,
    )
    groups = letters.order_by().values_list("parent").annotate(Max("number"))
    return {names[name]: top for name, top in groups}


def _highest_in_redis(parents: Sequence[Key]) -> Highest:
    if not redis_is_configured():
        return {}
    known = read_numbers([parent_name(parent) for parent in parents])
    return {
        parent: max(one.highest_pending, one.last)
        for parent, one in zip(parents, known, strict=True)
    }


def record_losses(reason: str, notice: Callable[[int], object]) -> int:
    """Record all lost numbers as skipped, with this reason; return how many there are.

    Lost are the numbers below the highest row of a parent that are neither stored nor dead letters,
    and the chats that are lost themselves while messages of theirs are stored.
    """
    count = 0
    for kind in record_types().values():
        for parents in pages(kind, None):
            stats = stats_of(kind, parents)
            for parent in [parent for parent in parents if parent.key in stats]:
                first, last = purged_through(parent) + 1, stats[parent.key].highest
                if stats[parent.key].rows < last - first + 1:
                    count += _record_gaps(kind, parent.key, range(first, last + 1), reason)
            notice(len(parents))
        count += sum(_record_lost_parent(key, reason) for key in _lost_parents(kind))
    return count


def _record_gaps(kind: RecordType, parent: Key, numbers: range, reason: str) -> int:
    runs = list(lost(kind, parent, numbers.start, numbers.stop - 1))
    for run in runs:
        record_skip(parent, run.stop, reason, skipped_from=run.start)
    return sum(map(len, runs))


def _lost_parents(kind: RecordType) -> list[Key]:
    """The lost parents that have a number. An application has none to record a skip of."""
    pages_of_keys = (keys for _, _, keys in without_parent(kind, None))
    return [key for keys in pages_of_keys for key in keys if len(key) > 1]


def _record_lost_parent(key: Key, reason: str) -> int:
    *grandparent, last = key
    number = int(last)
    if skip_of(tuple(grandparent), number):
        return 0
    record_skip(tuple(grandparent), number + 1, reason, skipped_from=number)
    return 1


def forget_requests_in_redis() -> None:
    """Delete all idempotency keys in Redis, so that only the table answers repeats.

    Raises RedisUnavailable.
    """
    for shard, names in scan_pages(redis_keys.EVERY_REQUEST):
        ask_redis(shard, methodcaller("unlink", *names))
