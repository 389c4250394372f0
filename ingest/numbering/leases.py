"""Leases: the database lends Redis a run of numbers, and never lends or gives them again.

If Redis's block ends before the present lease, the process that made the lease died or was slow,
and the lease is installed now. So rivals, retries and a commit with a lost answer leave no gap.
"""

from datetime import datetime
from functools import partial

from django.utils import timezone

from infra.database import in_transaction
from infra.redis_client import shard_of
from ingest.metrics import LEASES
from ingest.models import Generation, NumberSkip, Parent, Source
from ingest.numbering.authority import hold_authorities
from ingest.numbering.blocks import Block, Blocks
from ingest.records import Key, Lease, record_type_of_parent
from ingest.redis_keys import parent_name

MAX_SKIP_REASON = 200


def record_skip(
    parent: Key, resumed_at: int, reason: str, *, skipped_from: int | None = None
) -> None:
    """Record that numbers below `resumed_at`, or from `skipped_from` on, have no rows."""
    token, *chat_number = parent
    NumberSkip.objects.create(
        application_token=str(token),
        chat_number=chat_number[0] if chat_number else None,
        skipped_from=skipped_from,
        resumed_at=resumed_at,
        recorded_at=timezone.now(),
        reason=reason[:MAX_SKIP_REASON],
    )


FIRST_LEASE = 128
MAX_LEASE = 65_536
#: At the pace of the last one, a lease lasts about this long, also while the database is down.
LEASE_SECONDS = 60


def ceiling_of(parent: Key) -> int | None:
    """The highest number given or lent, or a larger one; None without such a parent."""
    row = record_type_of_parent(parent).parent_row(parent).values_list("number_ceiling", flat=True)
    return row.first()


def acquire_lease(parent: Key, epoch: int, block: Block, at_least: int) -> Lease | None:
    """The lease to append to Redis's block; None if there is no such parent.

    A new lease has `at_least` that many numbers. Raises AuthorityChanged.
    """
    return in_transaction(partial(_acquire_lease, parent, epoch, block, at_least))


def _acquire_lease(parent: Key, epoch: int, block: Block, at_least: int) -> Lease | None:
    hold_authorities([shard_of(str(parent[0]))], Source.REDIS, epoch)
    row = record_type_of_parent(parent).parent_row(parent).select_for_update().first()
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
    length = max(_lease_length(row, epoch, block.next, now), at_least)
    leaves_some = first > block.last + 1 and block.next <= block.last
    if row.lease_epoch not in (None, epoch) or leaves_some:
        record_skip(row.key, first, f"a new lease in epoch {epoch}")
    lease = Lease(epoch, first, first + length - 1)
    record_type_of_parent(parent).parent_row(parent).update(
        number_ceiling=lease.last,
        lease_epoch=epoch,
        lease_first=lease.first,
        lease_last=lease.last,
        lease_at=now,
    )
    return lease


def _lease_length(row: Parent, epoch: int, next_number: int, now: datetime) -> int:
    if row.lease_epoch != epoch or row.lease_at is None or row.lease_first is None:
        return FIRST_LEASE
    seconds = max((now - row.lease_at).total_seconds(), 0.001)
    given = max(next_number - row.lease_first, 0)
    return min(max(int(given / seconds * LEASE_SECONDS), FIRST_LEASE), MAX_LEASE)


_lent = LEASES.labels("lent")


def extend_block(blocks: Blocks, generation: Generation, parent: Key, at_least: int = 1) -> bool:
    """Extend the parent's block by a lease; false if the database has no such parent.

    Raises AuthorityChanged, the errors of `blocks`, and OperationalError without a database.
    """
    ceiling = ceiling_of(parent)
    if ceiling is None:
        return False
    name = parent_name(parent)
    # Open an unknown block before the lease is acquired. A rival that comes in between, or after
    # this process has died, then sees that the lease was not installed.
    block = blocks.open(generation, name, ceiling)
    lease = acquire_lease(parent, generation.epoch, block, at_least)
    if lease is None:
        return False
    blocks.install_block(generation, name, block, lease)
    _lent.inc()
    return True
