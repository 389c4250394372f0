"""Numbers, counts and acceptances, parent by parent: what is stored against what was given.

At a glance the children of a parent add up when there are as many as the highest number, which is
the last one given, less those that were purged. All others are looked at closely, in an order in
which a row on its way is seen at least once: numbers given are read before what pends, and what
pends before the table.
"""

from collections.abc import Iterator

from ingest.models import Parent, purged_through
from ingest.records import Key, RecordType
from ingest.redis_keys import parent_name
from operations.audit.checks import Check, Walk
from operations.audit.count import check_count
from operations.audit.duplicates import repeated_acceptances
from operations.audit.findings import Finding, error
from operations.audit.gaps import check_gaps
from operations.audit.purges import check_purge
from operations.audit.redis_state import LentBlock, Numbered
from operations.audit.stats import Stats, children, pages, stats_of
from operations.audit.suspects import Glance, look_twice
from operations.audit.trusted import epoch_of_blocks, numbered_by_redis
from operations.counts import count_of


def numbers_of(kind: RecordType) -> Check:
    """The check of the numbers of such rows."""

    def run(walk: Walk) -> Iterator[Finding]:
        return look_twice(walk, _glances(kind, walk), lambda key: _look_closely(kind, key))

    return Check(f"numbers of {kind.name}", run)


def _glances(kind: RecordType, walk: Walk) -> Iterator[Glance]:
    count = count_of(kind.model).field
    for parents in pages(kind, walk.after):
        epoch = epoch_of_blocks()
        stats = stats_of(kind, parents, walk.pause)
        # Afterwards: a number that is given meanwhile makes a suspect, who is then looked at.
        of_redis = numbered_by_redis([parent_name(parent.key) for parent in parents])
        suspects = [
            parent.key
            for parent, seen in zip(parents, of_redis, strict=True)
            if not _adds_up(parent, count, stats.get(parent.key, Stats()), seen, epoch)
        ]
        passed = sum(one.rows for one in stats.values())
        yield Glance(parents[-1].key, passed, suspects)


def _adds_up(parent: Parent, count: str, stats: Stats, seen: Numbered, epoch: int | None) -> bool:
    lease_fits = (parent.lease_last or 0) <= parent.number_ceiling
    purged = purged_through(parent)
    highest = max(stats.highest, purged)
    has_all = stats.rows == highest - purged == stats.acceptances
    begins_well = stats.lowest in (0, purged + 1)
    is_counted = getattr(parent, count) == stats.rows
    given = _given(parent, seen.block, epoch)
    ends_well = given in (None, highest) and highest <= parent.number_ceiling
    block_fits = epoch != seen.block.epoch or not list(_wrong_with(seen, highest, parent))
    return all((lease_fits, has_all, begins_well, is_counted, ends_well, block_fits))


def _given(parent: Parent, block: LentBlock, epoch: int | None) -> int | None:
    """The highest number that was surely given; None where only the rows themselves tell it."""
    if parent.lease_epoch is None:
        return parent.number_ceiling
    if epoch is not None and block.epoch == epoch == parent.lease_epoch:
        return block.next - 1
    return None


def _look_closely(kind: RecordType, key: Key) -> Iterator[Finding]:
    epoch = epoch_of_blocks()
    number = kind.key_fields[-1]
    in_order = children(kind, key).order_by(f"-{number}").values_list(number, flat=True)
    stored = in_order.first() or 0
    [seen] = numbered_by_redis([parent_name(key)])
    # After the block: it was lent by then what it shows.
    parent = kind.parent_row(key).first()
    if parent is None:
        return
    purged = purged_through(parent)
    highest = max(stored, purged)
    yield from _wrong_ceiling(kind, highest, parent)
    if seen.block.epoch == epoch:
        for what in _wrong_with(seen, highest, parent):
            yield error("blocks", key, what)
    yield from repeated_acceptances(kind, key)
    given = max(highest, _given(parent, seen.block, epoch) or 0)
    yield from check_purge(kind, key, purged)
    yield from check_gaps(kind, key, purged + 1, min(given, parent.number_ceiling))
    yield from check_count(kind, key)


def _wrong_ceiling(kind: RecordType, highest: int, parent: Parent) -> Iterator[Finding]:
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


def _wrong_with(seen: Numbered, highest_stored: int, parent: Parent) -> Iterator[str]:
    """What is wrong with a block of the present epoch, read after the highest row."""
    block = seen.block
    given = max(seen.highest_pending, highest_stored)
    if block.last > parent.number_ceiling:
        yield f"Redis may give {block.last}, above the ceiling {parent.number_ceiling}"
    if block.next <= given:
        yield f"Redis would give {block.next} again, {given} was given"
    if block.next > block.last + 1:
        yield f"Redis' next number {block.next} lies behind its block, which ends at {block.last}"
