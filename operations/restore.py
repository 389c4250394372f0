"""What Redis remembers of requests, given up. Raises NoRedis.

Ceilings raised above every number that is still known to have been given or lent.

A restored ceiling is that of the backup, and whoever was given a higher number since may still have
it: in Redis's block, among the rows that were queued, set aside or pending, or as a chat of which
only messages are left.

What is nowhere any more is recorded as skipped, so that an audit tells a new loss from this one.

Of each parent that is left, the numbers below its highest row that are neither stored nor set
aside; and chats that are lost themselves, while messages of theirs came in afterwards.

Nobody may give numbers meanwhile, and what was queued must be in the tables.

All that follows the return of an older database, in the order in which it is safe.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import methodcaller

from django.db.models import Max
from django.utils import timezone

from infra.database import in_transaction
from infra.errors import Unavailable
from infra.natural_keys import in_pieces
from infra.rabbitmq.connection import messages_waiting
from infra.redis_client import ask_redis, redis_is_configured
from infra.timeouts import RESTORE_QUIET_SECONDS, WORKER_HOLDS_SECONDS
from ingest import redis_keys
from ingest.dead_letters.models import DeadLetter
from ingest.models import purged_through
from ingest.numbering.agent import ALIVE_WITHIN
from ingest.numbering.fencing import begin_epoch_by_hand
from ingest.numbering.leases import record_skip
from ingest.numbering.models import NumberAuthority, NumberingProcess
from ingest.records import Key, RecordType, record_types
from ingest.redis_keys import parent_name
from ingest.sweeper import sweep
from operations.audit.gaps import lost, skip_of
from operations.audit.orphans import without_parent
from operations.audit.redis_state import numbered
from operations.audit.stats import pages, stats_of

_SCANNED = 1000


def forget_requests_in_redis() -> None:
    """Whatever was answered before, the table alone knows of it now."""
    cursor = 0
    while True:
        page = methodcaller("scan", cursor, match=redis_keys.EVERY_REQUEST, count=_SCANNED)
        cursor, names = ask_redis(page)
        if names:
            ask_redis(methodcaller("unlink", *names))
        if not cursor:
            return


PARENTS = 200
#: Older than any, so that whoever gives the next number records the skip.
_NO_EPOCH = 0

Highest = dict[Key, int]


def raise_ceilings(skip: int, notice: Callable[[int], object]) -> int:
    """Raise each ceiling above what is known, and by `skip` more; how many were raised.

    `notice` is told how many parents were passed. Raises NoRedis where there is one and it does
    not answer: nobody else knows what it has lent.
    """
    raised = 0
    for kind in record_types().values():
        last = 0
        while page := _page(kind, last):
            last = page[-1]
            raised += in_transaction(partial(_raise, kind, page, skip))
            notice(len(page))
    return raised


def _page(kind: RecordType, last: int) -> list[int]:
    rows = kind.parent._default_manager.filter(pk__gt=last).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:PARENTS])


def _raise(kind: RecordType, page: Sequence[int], skip: int) -> int:
    locked = kind.parent._default_manager.select_for_update().filter(pk__in=page)
    parents = list(locked.order_by("pk"))
    known = _known(kind, [parent.key for parent in parents])
    raised = [one for one in parents if skip or known[one.key] > one.number_ceiling]
    for parent in raised:
        parent.number_ceiling = max(parent.number_ceiling, known[parent.key]) + skip
        if parent.lease_epoch is None:
            parent.lease_epoch = _NO_EPOCH
    kind.parent._default_manager.bulk_update(raised, ["number_ceiling", "lease_epoch"])
    return len(raised)


def _known(kind: RecordType, parents: Sequence[Key]) -> Mapping[Key, int]:
    """The highest number of each of these that is found anywhere."""
    found: defaultdict[Key, int] = defaultdict(int)
    sources = [*_stored(kind, parents), _set_aside(kind, parents), _in_redis(parents)]
    for source in sources:
        for key, number in source.items():
            found[key] = max(found[key], number)
    return found


def _stored(kind: RecordType, parents: Sequence[Key]) -> list[Highest]:
    """By their children; and by their children's children, since a child itself may be lost."""
    return [
        _highest(one, kind.key_fields, parents)
        for one in record_types().values()
        if one.key_fields[: len(kind.key_fields)] == kind.key_fields
    ]


def _highest(rows: RecordType, fields: Sequence[str], parents: Sequence[Key]) -> Highest:
    *shared, number = fields
    found: Highest = {}
    for wanted in in_pieces(shared, parents):
        groups = rows.model._default_manager.filter(wanted).order_by().values_list(*shared)
        found |= {tuple(key): top for *key, top in groups.annotate(Max(number))}
    return found


def _set_aside(kind: RecordType, parents: Sequence[Key]) -> Highest:
    names = {parent_name(parent): parent for parent in parents}
    letters = DeadLetter.objects.filter(kind=kind.name, parent__in=names, number__isnull=False)
    groups = letters.order_by().values_list("parent").annotate(Max("number"))
    return {names[name]: top for name, top in groups}


def _in_redis(parents: Sequence[Key]) -> Highest:
    if not redis_is_configured():
        return {}
    known = numbered([parent_name(parent) for parent in parents])
    return {
        parent: max(one.highest_pending, one.block.last)
        for parent, one in zip(parents, known, strict=True)
    }


def record_losses(reason: str, notice: Callable[[int], object]) -> int:
    """Record all of them with this reason; how many numbers that were.

    `notice` is told how many parents were passed.
    """
    count = 0
    for kind in record_types().values():
        for parents in pages(kind, None):
            stats = stats_of(kind, parents)
            for parent in [parent for parent in parents if parent.key in stats]:
                first, last = purged_through(parent) + 1, stats[parent.key].highest
                if stats[parent.key].rows < last - first + 1:
                    count += _record(kind, parent.key, range(first, last + 1), reason)
            notice(len(parents))
        count += sum(_record_parent(key, reason) for key in _lost_parents(kind))
    return count


def _record(kind: RecordType, parent: Key, numbers: range, reason: str) -> int:
    runs = list(lost(kind, parent, numbers.start, numbers.stop - 1))
    for run in runs:
        record_skip(parent, run.stop, reason, skipped_from=run.start)
    return sum(map(len, runs))


def _lost_parents(kind: RecordType) -> list[Key]:
    """Those that were numbered themselves. An application was not, so nothing explains it."""
    pages_of_keys = (keys for _, _, keys in without_parent(kind, None))
    return [key for keys in pages_of_keys for key in keys if len(key) > 1]


def _record_parent(key: Key, reason: str) -> int:
    *grandparent, last = key
    number = int(last)
    if skip_of(tuple(grandparent), number):
        return 0
    record_skip(tuple(grandparent), number + 1, reason, skipped_from=number)
    return 1


_LOOK_EVERY_SECONDS = 0.2


class StillInUse(Unavailable):
    """Something goes on that must have ended before."""


def await_quiet() -> None:
    """Return when no process gives numbers and nothing is queued.

    Raises StillInUse, after a while, and BrokerAway.
    """
    _await(
        lambda: not _somebody_numbers(),
        "A process still gives numbers: stop all web servers and imports first.",
    )
    _await(
        lambda: not messages_waiting(*record_types()),
        "Rows wait in the queues: let the workers store them first, and run this again.",
    )
    # What a worker has taken and not stored yet is in no queue.
    time.sleep(WORKER_HOLDS_SECONDS)


def _somebody_numbers() -> bool:
    return NumberingProcess.objects.filter(seen_at__gt=timezone.now() - ALIVE_WITHIN).exists()


def _await(condition: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + RESTORE_QUIET_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise StillInUse(otherwise)
        time.sleep(_LOOK_EVERY_SECONDS)


@dataclass(frozen=True, slots=True)
class Restored:
    """The epoch that began; rows stored, ceilings raised, and numbers recorded as lost."""

    epoch: int
    stored: int
    raised: int
    lost: int


def make_good(reason: str, *, skip: int, notice: Callable[[int], object]) -> Restored:
    """Number on above all that is known and `skip` more; record what is lost; in a new epoch.

    `notice` is told how many parents were passed. What was done stays done if it is interrupted,
    and it may be run again. Raises StillInUse, BrokerAway, NoRedis, infra.jobs.JobIsRunning, and
    OperationalError.
    """
    await_quiet()
    stored = _store_pending() if redis_is_configured() else 0
    raised = raise_ceilings(skip, notice)
    lost = record_losses(reason, notice)
    if redis_is_configured():
        # A repeat of a lost request is to be done again, not answered as if its row were there.
        forget_requests_in_redis()
    epoch = begin_epoch_by_hand(reason)
    # Nothing is queued, so whatever is found nowhere is nowhere.
    NumberAuthority.objects.filter(epoch=epoch).update(is_drained=True)
    return Restored(epoch, stored, raised, lost)


def _store_pending() -> int:
    swept = sweep(of_any_age=True)
    if not swept.is_complete or swept.left:
        raise StillInUse("More rows pend than one sweep stores: run this again.")
    return swept.stored
