"""Leases: the database lends Redis a run of numbers, and never lends or gives them again.

If Redis's block ends before the present lease, the process that made the lease died or was slow,
and the lease is installed now. So rivals, retries and a commit with a lost answer leave no gap.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db.models import QuerySet
from django.utils import timezone

from infra.database import in_transaction
from infra.natural_keys import by_pk, number_by_pk, with_keys
from infra.redis_client import Shard
from ingest.metrics import LEASES
from ingest.models import Generation, NumberSkip, Parent, Source
from ingest.numbering.authority import hold_authorities
from ingest.numbering.blocks import Block, Blocks
from ingest.records import Key, Lease, RecordType, record_type_of_parent
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


def ceilings_of(parents: Iterable[Key]) -> Mapping[Key, int]:
    """The same of each of these parents; those that are not stored lack."""
    return {
        row.key: row.number_ceiling
        for kind, keys in by_kind(parents).items()
        for row in _rows(kind, keys).only(*kind.parent_fields, "number_ceiling")
    }


@dataclass(frozen=True, slots=True)
class LeaseDemand:
    """What a parent needs: a lease to append to this block, of so many numbers or more."""

    block: Block
    at_least: int


def acquire_leases(
    shard: Shard, epoch: int, wanted: Mapping[Key, LeaseDemand]
) -> Mapping[Key, Lease]:
    """The leases of these parents of a shard; those that are not stored lack. AuthorityChanged."""
    return in_transaction(partial(_acquire_leases, shard, epoch, wanted))


def _acquire_leases(
    shard: Shard, epoch: int, wanted: Mapping[Key, LeaseDemand]
) -> Mapping[Key, Lease]:
    hold_authorities({shard: epoch}, Source.REDIS)
    now = timezone.now()
    leases: dict[Key, Lease] = {}
    for kind, keys in by_kind(wanted).items():
        # In the order in which all transactions lock parents.
        rows = _rows(kind, keys).select_for_update().order_by(*kind.parent_fields)
        new: dict[Parent, Lease] = {}
        for row in rows:
            lease = _present_lease(row, epoch, wanted[row.key])
            if lease is None:
                lease = new[row] = _next_lease(row, epoch, wanted[row.key], now)
            leases[row.key] = lease
        _lend(kind, epoch, new, now)
    return leases


def _present_lease(row: Parent, epoch: int, wanted: LeaseDemand) -> Lease | None:
    """The lease that was made and not installed, because its process died or was slow."""
    if row.lease_epoch != epoch or not row.lease_first or not row.lease_last:
        return None
    is_installed = row.lease_last <= wanted.block.last
    return None if is_installed else Lease(epoch, row.lease_first, row.lease_last)


def _next_lease(row: Parent, epoch: int, wanted: LeaseDemand, now: datetime) -> Lease:
    block = wanted.block
    first = max(row.number_ceiling, block.last) + 1
    length = max(_lease_length(row, epoch, block.next, now), wanted.at_least)
    leaves_some = first > block.last + 1 and block.next <= block.last
    if row.lease_epoch not in (None, epoch) or leaves_some:
        record_skip(row.key, first, f"a new lease in epoch {epoch}")
    return Lease(epoch, first, first + length - 1)


def _lend(kind: RecordType, epoch: int, leases: Mapping[Parent, Lease], now: datetime) -> None:
    """Save the new leases of these parents."""
    if not leases:
        return
    lasts = number_by_pk(kind.parent, {row.pk: lease.last for row, lease in leases.items()})
    firsts = number_by_pk(kind.parent, {row.pk: lease.first for row, lease in leases.items()})
    kind.parent._default_manager.filter(by_pk(leases)).update(
        number_ceiling=lasts,
        lease_epoch=epoch,
        lease_first=firsts,
        lease_last=lasts,
        lease_at=now,
    )


def by_kind(parents: Iterable[Key]) -> Mapping[RecordType, Sequence[Key]]:
    """These parents by what they number: chats come before applications, as everywhere."""
    by_kind: defaultdict[RecordType, list[Key]] = defaultdict(list)
    for parent in sorted(parents, key=lambda key: (-len(key), key)):
        by_kind[record_type_of_parent(parent)].append(parent)
    return by_kind


def _rows(kind: RecordType, keys: Iterable[Key]) -> "QuerySet[Parent]":
    return kind.parent._default_manager.filter(with_keys(kind.parent_fields, keys))


def _lease_length(row: Parent, epoch: int, next_number: int, now: datetime) -> int:
    if row.lease_epoch != epoch or row.lease_at is None or row.lease_first is None:
        return FIRST_LEASE
    seconds = max((now - row.lease_at).total_seconds(), 0.001)
    given = max(next_number - row.lease_first, 0)
    return min(max(int(given / seconds * LEASE_SECONDS), FIRST_LEASE), MAX_LEASE)


_lent = LEASES.labels("lent")


def extend_blocks(blocks: Blocks, generation: Generation, wanted: Mapping[Key, int]) -> set[Key]:
    """Extend the block of each parent by a lease, of so many numbers or more; those that exist.

    Raises NoNumbers, and OperationalError without a database.
    """
    names = {parent: parent_name(parent) for parent in wanted}
    # Open unknown blocks before leases are acquired. A rival that comes in between, or after this
    # process has died, then sees that the lease was not installed.
    ceilings = {names[parent]: ceiling for parent, ceiling in ceilings_of(wanted).items()}
    opened = blocks.open_all(generation, ceilings)
    demands = {
        parent: LeaseDemand(opened[name], wanted[parent])
        for parent, name in names.items()
        if name in opened
    }
    leases = acquire_leases(blocks.shard, generation.epoch, demands) if demands else {}
    blocks.install_all(
        generation, {names[parent]: (opened[names[parent]], leases[parent]) for parent in leases}
    )
    _lent.inc(len(leases))
    return set(leases)
