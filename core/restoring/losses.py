"""What is nowhere any more is recorded as skipped, so that an audit tells a new loss from this one.

Of each parent that is left, the numbers below its highest row that are neither stored nor set
aside; and chats that are lost themselves, while messages of theirs came in afterwards.
"""

from collections.abc import Callable

from core.audit.gaps import lost, skip_of
from core.audit.orphans import without_parent
from core.audit.stats import pages, stats_of
from core.models import purged_through
from core.numbering.skips import record_skip
from core.rows import Key, Kind, kinds


def record_losses(reason: str, notice: Callable[[int], object]) -> int:
    """Record all of them with this reason; how many numbers that were.

    `notice` is told how many parents were passed.
    """
    count = 0
    for kind in kinds().values():
        for parents in pages(kind, None):
            stats = stats_of(kind, parents)
            for parent in [parent for parent in parents if parent.key in stats]:
                first, last = purged_through(parent) + 1, stats[parent.key].highest
                if stats[parent.key].rows < last - first + 1:
                    count += _record(kind, parent.key, range(first, last + 1), reason)
            notice(len(parents))
        count += sum(_record_parent(key, reason) for key in _lost_parents(kind))
    return count


def _record(kind: Kind, parent: Key, numbers: range, reason: str) -> int:
    runs = list(lost(kind, parent, numbers.start, numbers.stop - 1))
    for run in runs:
        record_skip(parent, run.stop, reason, skipped_from=run.start)
    return sum(map(len, runs))


def _lost_parents(kind: Kind) -> list[Key]:
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
