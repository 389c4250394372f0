"""The numbers given against the rows stored: the authority, and numbers and counts by parent.

The quick check of a parent passes if it has as many rows as its highest number, which is the last
one given, less the purged ones. Every other parent is rechecked, in an order that sees a row in
transit at least once: first the numbers given, then the pending rows, then the table.
"""

from collections.abc import Iterator

from django.db.models import Count
from django.utils import timezone

from infra.models import Job
from infra.redis_client import RedisUnavailable, Shard, redis_is_configured
from ingest.late_rows import PURGE_JOB
from ingest.models import (
    CountState,
    NumberAuthority,
    NumberingProcess,
    Parent,
    Source,
    purged_through,
)
from ingest.records import Key, RecordType
from ingest.redis_keys import parent_name, shard_of_parent
from operations.audit.checks import (
    Check,
    Cursor,
    Finding,
    QuickCheck,
    error,
    info,
    recheck,
    unreachable,
)
from operations.audit.gaps import check_gaps
from operations.audit.redis_state import (
    RedisNumbers,
    epochs_of_blocks,
    existing_authorities,
    fence_and_epoch,
    is_flagged,
    read_numbers,
    read_numbers_if_available,
)
from operations.audit.stats import Stats, pages, stats_of

#: At most this many rows with a repeated acceptance are reported for a parent.
MAX_REPEATED = 100


def source_of_numbers(cursor: Cursor) -> Iterator[Finding]:
    """The number authorities in the database and Redis agree."""
    if redis_is_configured():
        for shard, authority in existing_authorities().items():
            cursor.pause()
            yield from _source_of_shard(shard, authority)


def _source_of_shard(shard: Shard, authority: NumberAuthority) -> Iterator[Finding]:
    try:
        fence, epoch = fence_and_epoch(shard)
    except RedisUnavailable as failure:
        yield unreachable("Redis", f"{failure}; blocks, pending rows and flags were not checked")
        return
    if epoch > authority.epoch:
        yield error(
            "numbering", (),
            f"Redis has given numbers in epoch {epoch}, but the database is at epoch "
            f"{authority.epoch}: the database is older than Redis; run new_epoch",
        )  # fmt: skip
    if authority.source == Source.DATABASE:
        since = f"since {authority.since}: {authority.reason}"
        yield info("numbering", (), f"the database has given the numbers {since}")
    elif fence < _highest_fence_seen(shard, authority.fence):
        yield info("numbering", (), "Redis has lost data; the next request begins a new epoch")
    if not authority.is_drained:
        yield info(
            "numbering", (), f"rows from before epoch {authority.epoch} may still be queued"
        )  # fmt: skip


def _highest_fence_seen(shard: Shard, fence: int) -> int:
    seen = (one.report_of(shard).fence for one in NumberingProcess.objects.all())
    return max(fence, *seen, 0)


def numbers_of(kind: RecordType) -> Check:
    """The check of the numbers of such rows, and of the counts of their parents."""

    def run(cursor: Cursor) -> Iterator[Finding]:
        return recheck(
            cursor, _quick_checks(kind, cursor), lambda key: _recheck_numbers(kind, key)
        )  # fmt: skip

    return Check(f"numbers of {kind.name}", run)


def _quick_checks(kind: RecordType, cursor: Cursor) -> Iterator[QuickCheck]:
    count = kind.count_field
    for parents in pages(kind, cursor.after):
        names = [parent_name(parent.key) for parent in parents]
        epochs = epochs_of_blocks(names)
        stats = stats_of(kind, parents, cursor.pause)
        # Redis is read last: a number given in between makes a suspect, which is rechecked.
        of_redis = read_numbers_if_available(names)
        suspects = [
            parent.key
            for parent, name, seen in zip(parents, names, of_redis, strict=True)
            if not _adds_up(
                parent,
                count,
                stats.get(parent.key, Stats()),
                seen,
                epochs[shard_of_parent(name)],
            )
        ]
        passed = sum(one.rows for one in stats.values())
        yield QuickCheck(parents[-1].key, passed, suspects)


def _adds_up(
    parent: Parent, count: str, stats: Stats, seen: RedisNumbers, epoch: int | None
) -> bool:
    lease_fits = (parent.lease_last or 0) <= parent.number_ceiling
    purged = purged_through(parent)
    highest = max(stats.highest, purged)
    has_all = stats.rows == highest - purged == stats.acceptances
    begins_well = stats.lowest in (0, purged + 1)
    is_counted = getattr(parent, count) == stats.rows
    given = _given(parent, seen, epoch)
    ends_well = given in (None, highest) and highest <= parent.number_ceiling
    block_fits = epoch != seen.epoch or not list(_block_errors(seen, highest, parent))
    return all((lease_fits, has_all, begins_well, is_counted, ends_well, block_fits))


def _given(parent: Parent, seen: RedisNumbers, epoch: int | None) -> int | None:
    """The highest number that was certainly given; None if only the rows tell it."""
    if parent.lease_epoch is None:
        return parent.number_ceiling
    if epoch is not None and seen.epoch == epoch == parent.lease_epoch:
        return seen.next - 1
    return None


def _recheck_numbers(kind: RecordType, key: Key) -> Iterator[Finding]:
    [epoch] = epochs_of_blocks([parent_name(key)]).values()
    number = kind.number_field
    in_order = kind.rows(key).order_by(f"-{number}").values_list(number, flat=True)
    stored = in_order.first() or 0
    [seen] = read_numbers_if_available([parent_name(key)])
    # The parent is read after the block: its ceiling then covers everything the block shows.
    parent = kind.parent_row(key).first()
    if parent is None:
        return
    purged = purged_through(parent)
    highest = max(stored, purged)
    yield from _ceiling_errors(kind, highest, parent)
    if seen.epoch == epoch:
        for what in _block_errors(seen, highest, parent):
            yield error("blocks", key, what)
    yield from _repeated_acceptances(kind, key)
    given = max(highest, _given(parent, seen, epoch) or 0)
    yield from _check_purge(kind, key, purged)
    yield from check_gaps(kind, key, purged + 1, min(given, parent.number_ceiling))
    yield from _check_count(kind, key)


def _ceiling_errors(kind: RecordType, highest: int, parent: Parent) -> Iterator[Finding]:
    ceiling = parent.number_ceiling
    if highest > ceiling:
        yield error(
            "ceilings", parent.key, f"{kind.name} {highest} is stored, above the ceiling {ceiling}"
        )
    if (parent.lease_last or 0) > ceiling:
        yield error(
            "ceilings", parent.key,
            f"{kind.name} up to {parent.lease_last} are lent, above the ceiling {ceiling}",
        )  # fmt: skip


def _block_errors(seen: RedisNumbers, highest_stored: int, parent: Parent) -> Iterator[str]:
    """What is wrong with a block of the current epoch that was read after the highest row."""
    given = max(seen.highest_pending, highest_stored)
    if seen.last > parent.number_ceiling:
        yield f"Redis may give {seen.last}, above the ceiling {parent.number_ceiling}"
    if seen.next <= given:
        yield f"Redis would give {seen.next} again, although {given} was given"
    if seen.next > seen.last + 1:
        yield f"Redis' next number {seen.next} lies behind its block, which ends at {seen.last}"


def _repeated_acceptances(kind: RecordType, parent: Key) -> Iterator[Finding]:
    """Rows of this parent with one acceptance ID: one row stored under several numbers."""
    number = kind.number_field
    rows = kind.rows(parent).order_by()
    repeated = rows.values_list("acceptance").annotate(n=Count("pk")).filter(n__gt=1)
    for acceptance, _ in repeated[:MAX_REPEATED]:
        same = rows.filter(acceptance=acceptance).order_by(number)
        numbers = ", ".join(map(str, same.values_list(number, flat=True)[:MAX_REPEATED]))
        yield error("duplicates", parent, f"{kind.name} {numbers} are one accepted row")


def _check_purge(kind: RecordType, parent: Key, through: int) -> Iterator[Finding]:
    """No row is left up to the number through which the parent was purged."""
    number = kind.number_field
    left = kind.rows(parent).filter(**{f"{number}__lte": through}).count() if through else 0
    if not left:
        return
    what = f"{left} {kind.name} up to {through} are stored, although they were purged"
    if Job.objects.filter(name=PURGE_JOB, held_until__gt=timezone.now()).exists():
        yield info("purges", parent, f"{what}: a purge is running")
    else:
        yield error("purges", parent, f"{what}: a purge was interrupted, run it again")


def _check_count(kind: RecordType, key: Key) -> Iterator[Finding]:
    """The parent's count equals its rows, or the next count job will correct it."""
    parent = kind.parent_row(key).first()
    if parent is None:
        return
    field = kind.count_field
    rows = stats_of(kind, [parent]).get(key, Stats()).rows
    count = getattr(parent, field)
    if count == rows:
        return
    will_be_counted = _is_due_for_counting(kind, parent)
    # A flag that the count job took over since is in the table now; a count that it corrected has
    # raised the version.
    again = kind.parent_row(key).first()
    if again is None or again.version != parent.version:
        return
    detail = f"{field} is {count}, but there are {rows} rows"
    if will_be_counted or again.count_state != CountState.CURRENT:
        yield info("counts", key, f"{detail}: the next count job corrects it")
    else:
        yield error("counts", key, f"{detail}, and the parent is not flagged for the count job")


def _is_due_for_counting(kind: RecordType, parent: Parent) -> bool:
    lost = any(one.needs_full_count for one in existing_authorities().values())
    if lost or parent.count_state != CountState.CURRENT:
        return True
    if not redis_is_configured():
        return False
    name = parent_name(parent.key)
    try:
        # The step that removes a stored row from the pending ones also sets the flag.
        [seen] = read_numbers([name])
        return bool(seen.highest_pending) or is_flagged(kind.name, name)
    except RedisUnavailable:
        return True  # the flag may be there
