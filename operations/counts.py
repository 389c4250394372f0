"""The count job: it corrects the counts of children, at a cost in proportion to the changes.

Workers flag the parents of stored rows in Redis, in one set of names for each type of record: an
update in the database for each parent would cost them more than the rows. The job turns these flags
into marks (`count_state`), replaces the marks by its run number, counts without locks, and writes
the counts in one short update. docs/architecture.md explains why no change is missed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import methodcaller
from typing import Any

import redis
from django.db import OperationalError
from django.db.models import Count, F, QuerySet

from infra.database import in_transaction
from infra.jobs import Run, only_run
from infra.logs import Event, get_logger
from infra.natural_keys import batches_by_pk, by_pk, number_by_pk, with_keys
from infra.redis_client import (
    RedisUnavailable,
    Shard,
    ask_redis,
    redis_is_configured,
    shards,
)
from infra.service_errors import is_deadlock
from ingest import redis_keys
from ingest.models import CountState, NumberAuthority, Parent
from ingest.numbering.authority import read_authority
from ingest.numbering.fencing import verify_if_restarted
from ingest.post_commit import flag_in_database
from ingest.records import Key, RecordType, record_types

logger = get_logger(__name__)

COUNT_JOB = "reconcile_counts"
BATCH = 200
FLAG_BATCH = 500


@dataclass
class Tally:
    """How many parents a run counted and corrected."""

    counted: int = 0
    corrected: int = 0

    def add(self, parents: Sequence[Parent], differing: Mapping[int, int]) -> None:
        """Add a batch."""
        self.counted += len(parents)
        self.corrected += len(differing)


def count_children(kind: RecordType, parents: Sequence[Parent]) -> dict[Key, int]:
    """COUNT(*) of such rows by parent; parents without rows are left out."""
    *shared, _ = kind.key_fields
    rows = (
        kind.model._default_manager.filter(with_keys(shared, [one.key for one in parents]))
        .order_by()
        .values_list(*shared)
        .annotate(number=Count("pk"))
    )
    return {row[:-1]: row[-1] for row in rows}


def wrong_counts(kind: RecordType, parents: Sequence[Parent]) -> dict[int, int]:
    """The correct counts of the parents whose count is wrong, by primary key."""
    actual = count_children(kind, parents)
    correct = {parent.pk: actual.get(parent.key, 0) for parent in parents}
    return {
        parent.pk: correct[parent.pk]
        for parent in parents
        if getattr(parent, kind.count_field) != correct[parent.pk]
    }


def reconcile(
    *,
    everything: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], object] = lambda _: None,
) -> dict[str, Tally]:
    """Make every marked count equal COUNT(*); with `everything`, every count.

    A dry run only reports what a run would correct. `progress` is called with the number of parents
    done since the last call. Raises infra.jobs.JobIsRunning.
    """
    kinds = record_types().values()
    if dry_run:
        everything |= bool(take_over_flags())
        return {one.count_field: _compare(one, everything, progress) for one in kinds}
    with only_run(COUNT_JOB) as run:
        lost = take_over_flags(run.still_alive)
        everything |= bool(lost)
        tallies = {one.count_field: _correct(one, everything, run, progress) for one in kinds}
        for authority in lost:
            # Without effect if a newer epoch has begun.
            row = NumberAuthority.objects.filter(pk=authority.pk, epoch=authority.epoch)
            row.update(needs_full_count=False)
        run.outcome = {name: vars(tally) for name, tally in tallies.items()}
        return tallies


def _compare(kind: RecordType, everything: bool, progress: Callable[[int], object]) -> Tally:
    tally = Tally()
    marked = _parents(kind) if everything else _parents(kind).filter(count_state__gt=0)
    for parents in batches_by_pk(marked, BATCH):
        tally.add(parents, wrong_counts(kind, parents))
        progress(len(parents))
    return tally


def _correct(
    kind: RecordType, everything: bool, run: Run, progress: Callable[[int], object]
) -> Tally:
    tally = Tally()
    # First restore the marks that an earlier run took before it died or was overtaken. The numbers
    # of a later run are left alone here and below: then this run itself was overtaken.
    run.still_alive()
    taken = _parents(kind).filter(count_state__gt=CountState.CHANGED)
    _update(taken.filter(count_state__lt=run.number), count_state=CountState.CHANGED)
    changed = _parents(kind).filter(count_state=CountState.CHANGED)
    for parents in batches_by_pk(_parents(kind) if everything else changed, BATCH):
        run.still_alive()
        these = _parents(kind).filter(by_pk(parents))
        _update(these.filter(count_state__lt=run.number), count_state=run.number)
        differing = wrong_counts(kind, parents)
        if differing:
            # Also write a parent marked again meanwhile, or a busy chat would never be counted; but
            # not a parent that a later run has taken.
            mine = these.filter(pk__in=differing, count_state__in=(run.number, CountState.CHANGED))
            _update(
                mine,
                **{kind.count_field: number_by_pk(kind.parent, differing)},
                version=F("version") + 1,
            )
        _update(these.filter(count_state=run.number), count_state=CountState.CURRENT)
        tally.add(parents, differing)
        progress(len(parents))
    return tally


def _parents(kind: RecordType) -> "QuerySet[Parent]":
    return kind.parent._default_manager.all()


def _update(rows: "QuerySet[Any]", **values: Any) -> None:
    """Update all rows in one statement; after repeated deadlocks, one row at a time.

    Inserts lock parents in the order of natural keys, this update in that of primary keys, so the
    two may deadlock again and again. A transaction that locks one row cannot be part of a cycle.
    """
    try:
        in_transaction(partial(rows.update, **values))
    except OperationalError as error:
        if not is_deadlock(error):
            raise
        for row in list(rows):
            in_transaction(partial(rows.filter(by_pk([row])).update, **values))


def take_flags(shard: Shard, kind: str) -> Iterator[Sequence[Key]]:
    """All flagged parents of a shard, in batches. Raises RedisUnavailable.

    Requesting the next batch deletes the flags of the one before, so store a batch first.
    """
    yield from _drain_flags(shard, kind)
    ask_redis(shard, partial(_rename_flags, shard, kind))
    yield from _drain_flags(shard, kind)


def _rename_flags(shard: Shard, kind: str, server: Any) -> None:
    try:
        # Do not overwrite the flags that an overtaken run is still working on.
        server.renamenx(redis_keys.dirty(shard, kind), redis_keys.dirty_taken(shard, kind))
    except redis.ResponseError as error:
        if "no such key" not in str(error):
            raise


def _drain_flags(shard: Shard, kind: str) -> Iterator[Sequence[Key]]:
    taken = redis_keys.dirty_taken(shard, kind)
    while names := ask_redis(shard, lambda server: server.srandmember(taken, FLAG_BATCH)):
        yield [redis_keys.parent_key(name.decode()) for name in names]
        # Remove names and not the whole set: another run may have taken it over meanwhile.
        ask_redis(shard, methodcaller("srem", taken, *names))


def take_over_flags(batch_done: Callable[[], object] = lambda: None) -> list[NumberAuthority]:
    """Turn the flags in Redis into marks in the database; where Redis is down, they stay there.

    Return the authorities in whose epochs flags were lost, so that everything must be counted.
    `batch_done` is called after each batch. Raises OperationalError.
    """
    if not redis_is_configured():
        return []
    return [lost for shard in shards() if (lost := _take_over(shard, batch_done)).needs_full_count]


def _take_over(shard: Shard, batch_done: Callable[[], object]) -> NumberAuthority:
    authority = read_authority(shard)
    try:
        # Check first whether Redis has just lost its data, and with them the flags.
        authority = verify_if_restarted(shard)
        for kind in record_types().values():
            for parents in take_flags(shard, kind.name):
                flag_in_database(kind, parents)
                batch_done()
    except RedisUnavailable as error:
        logger.warning(Event.FLAGS_STAY, error=error)
    return authority
