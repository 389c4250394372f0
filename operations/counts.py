"""The count job: it corrects the counts of children, at a cost in proportion to the changes.

An insert of a child marks its parent (`count_state` = CHANGED) in the same transaction, or flags it
in Redis afterwards (operations.dirty_flags); the job turns those flags into marks before it counts.
The job replaces the mark with its run number *before* it counts: a child inserted meanwhile sets
the mark again, so the parent stays marked for the next run. A run that dies leaves its number in
the rows it had taken; any state but CURRENT is a mark, so the next run takes them again. A run
that was overtaken can no longer write, because its number is no longer in the row.

Children are counted without locks, and one short update writes the count.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import OperationalError, connection
from django.db.models import BigIntegerField, Count, F, Model, QuerySet
from django.db.models.expressions import RawSQL

from infra.database import in_transaction
from infra.jobs import Run, only_run
from infra.natural_keys import with_keys
from infra.service_errors import is_deadlock
from ingest.models import CountState, Parent
from operations import dirty_flags

COUNT_JOB = "reconcile_counts"
BATCH = 200

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Counted:
    """A count: the field of the parent, and how to find the children.

    `key` maps each key field of the parent to the same field of the child; many parents share all
    but the last one.
    """

    parent: type[Parent]
    field: str
    child: type[Model]
    key: Mapping[str, str]

    def actual(self, parents: Sequence[Parent]) -> dict[Key, int]:
        """COUNT(*) of the children by key; parents without children are left out."""
        fields = list(self.key.values())
        rows = (
            self.child._default_manager.filter(with_keys(fields, map(self.key_of, parents)))
            .order_by()
            .values_list(*fields)
            .annotate(number=Count("pk"))
        )
        return {row[:-1]: row[-1] for row in rows}

    def differing(self, parents: Sequence[Parent]) -> dict[int, int]:
        """The correct counts of the parents whose count is wrong, by primary key."""
        actual = self.actual(parents)
        correct = {parent.pk: actual.get(self.key_of(parent), 0) for parent in parents}
        return {
            parent.pk: correct[parent.pk]
            for parent in parents
            if getattr(parent, self.field) != correct[parent.pk]
        }

    def key_of(self, parent: Parent) -> Key:
        """The parent's key as its children carry it."""
        return tuple(getattr(parent, name) for name in self.key)


@dataclass
class Tally:
    """How many parents a run counted and corrected."""

    counted: int = 0
    corrected: int = 0

    def add(self, parents: Sequence[Parent], differing: Mapping[int, int]) -> None:
        """Add a batch."""
        self.counted += len(parents)
        self.corrected += len(differing)


_counts: list[Counted] = []


def register_count(counted: Counted) -> None:
    """Register a count; the application that owns the children calls this in ready()."""
    if counted not in _counts:
        _counts.append(counted)


def count_of(child: type[Model]) -> Counted:
    """The count of the children of this model."""
    return next(one for one in _counts if one.child is child)


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
    if dry_run:
        everything |= dirty_flags.take_over_flags() is not None
        return {one.field: _compare(one, everything, progress) for one in _counts}
    with only_run(COUNT_JOB) as run:
        lost_in_epoch = dirty_flags.take_over_flags(run.still_alive)
        everything |= lost_in_epoch is not None
        tallies = {one.field: _correct(one, everything, run, progress) for one in _counts}
        if lost_in_epoch is not None:
            dirty_flags.note_full_count(lost_in_epoch)
        run.outcome = {name: vars(tally) for name, tally in tallies.items()}
        return tallies


def _compare(counted: Counted, everything: bool, progress: Callable[[int], object]) -> Tally:
    tally = Tally()
    marked = _parents(counted) if everything else _parents(counted).filter(count_state__gt=0)
    for parents in _parent_batches(marked):
        tally.add(parents, counted.differing(parents))
        progress(len(parents))
    return tally


def _correct(
    counted: Counted, everything: bool, run: Run, progress: Callable[[int], object]
) -> Tally:
    tally = Tally()
    # First restore the marks that an earlier run took before it died or was overtaken. The numbers
    # of a later run are left alone here and below: then this run itself was overtaken.
    run.still_alive()
    taken = _parents(counted).filter(count_state__gt=CountState.CHANGED)
    _update(taken.filter(count_state__lt=run.number), count_state=CountState.CHANGED)
    changed = _parents(counted).filter(count_state=CountState.CHANGED)
    for parents in _parent_batches(_parents(counted) if everything else changed):
        run.still_alive()
        these = _parents(counted).filter(pk__in=[parent.pk for parent in parents])
        _update(these.filter(count_state__lt=run.number), count_state=run.number)
        differing = counted.differing(parents)
        if differing:
            # Also write a parent marked again meanwhile, or a busy chat would never be counted; but
            # not a parent that a later run has taken.
            mine = these.filter(pk__in=differing, count_state__in=(run.number, CountState.CHANGED))
            _update(mine, **{counted.field: _by_pk(counted, differing)}, version=F("version") + 1)
        _update(these.filter(count_state=run.number), count_state=CountState.CURRENT)
        tally.add(parents, differing)
        progress(len(parents))
    return tally


def _parents(counted: Counted) -> "QuerySet[Parent]":
    return counted.parent._default_manager.all()


def _parent_batches(rows: "QuerySet[Parent]") -> Iterator[list[Parent]]:
    """The parents in order of primary key, each once."""
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield batch
        last = batch[-1].pk


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
        for pk in list(rows.values_list("pk", flat=True)):
            in_transaction(partial(rows.filter(pk=pk).update, **values))


def _by_pk(counted: Counted, counts: Mapping[int, int]) -> RawSQL:
    """An expression with the count of each row; Django's `When` would be slower than the rest."""
    column = connection.ops.quote_name(str(counted.parent._meta.pk.column))
    whens = " ".join(["WHEN %s THEN %s"] * len(counts))
    values = [value for pk_and_count in counts.items() for value in pk_and_count]
    return RawSQL(f"CASE {column} {whens} END", values, BigIntegerField())  # noqa: S611 - marks only
