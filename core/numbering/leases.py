"""Leases: the database lends Redis a run of numbers, and never lends or gives them again.

A lease is taken under the parent's row lock. Who sees in Redis a block that ends before the present
lease does installs that lease, made by somebody who died or was slow; else a new one is made above
everything given so far. So rivals, retries, and a commit whose answer was lost leave no gap.
"""

from datetime import datetime
from functools import partial

from django.utils import timezone

from core.models import Parent
from core.numbering.authority import hold_authority
from core.numbering.blocks import Block
from core.numbering.models import Source
from core.numbering.skips import record_skip
from core.rows import Key, Lease, kind_of
from core.transactions import in_transaction

FIRST_LENGTH = 128
MAX_LENGTH = 65_536
#: At the pace of the last one, a lease lasts about so long: also through a database that is away.
SECONDS = 60


def ceiling_of(parent: Key) -> int | None:
    """A number that none given or lent is above; None when the database has no such parent."""
    row = kind_of(parent).parent_row(parent).values_list("number_ceiling", flat=True)
    return row.first()


def take_lease(parent: Key, epoch: int, block: Block, at_least: int) -> Lease | None:
    """The lease to install behind the block that Redis shows; None without such a parent.

    A new one is `at_least` so long. Raises AuthorityChanged.
    """
    return in_transaction(partial(_take, parent, epoch, block, at_least))


def _take(parent: Key, epoch: int, block: Block, at_least: int) -> Lease | None:
    hold_authority(Source.REDIS, epoch)
    row = kind_of(parent).parent_row(parent).select_for_update().first()
    if row is None:
        return None
    if (
        row.lease_epoch == epoch
        and row.lease_first
        and row.lease_last
        and row.lease_last > block.last
    ):
        return Lease(epoch, row.lease_first, row.lease_last)
    now = timezone.now()
    first = max(row.number_ceiling, block.last) + 1
    length = max(_length(row, epoch, block.next, now), at_least)
    leaves_some = first > block.last + 1 and block.next <= block.last
    if row.lease_epoch not in (None, epoch) or leaves_some:
        record_skip(row.key, first, f"a new lease in epoch {epoch}")
    lease = Lease(epoch, first, first + length - 1)
    kind_of(parent).parent_row(parent).update(
        number_ceiling=lease.last,
        lease_epoch=epoch,
        lease_first=lease.first,
        lease_last=lease.last,
        lease_at=now,
    )
    return lease


def _length(row: Parent, epoch: int, next_number: int, now: datetime) -> int:
    if row.lease_epoch != epoch or row.lease_at is None or row.lease_first is None:
        return FIRST_LENGTH
    seconds = max((now - row.lease_at).total_seconds(), 0.001)
    given = max(next_number - row.lease_first, 0)
    return min(max(int(given / seconds * SECONDS), FIRST_LENGTH), MAX_LENGTH)
