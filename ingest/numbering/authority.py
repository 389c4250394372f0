"""Number authority: a row for each shard has the present source of its numbers.

A transaction that takes numbers holds the row with a shared lock until it ends, and a transaction
that changes the row waits for it. So no number of an old epoch is given after a new one has begun.
"""

from collections.abc import Iterable, Iterator, Mapping

from django.db import connection, transaction
from django.db.models import F, Max
from django.utils import timezone

from infra.redis_client import Shard, shards
from ingest.models import NumberAuthority, Source
from ingest.numbering.errors import AuthorityChanged


class LatestEpoch:
    """The latest epoch of any shard that this process has read.

    It only rises, so a slow read does no harm.
    """

    def __init__(self) -> None:
        self.value = 0

    def learn(self, epoch: int) -> None:
        """Note an epoch that was read from the database."""
        self.value = max(self.value, epoch)


latest_epoch = LatestEpoch()


def _row_of(shard: Shard) -> int:
    """The primary key of the shard's row; that of the only shard is 1."""
    return shard.number + 1


def read_authorities(of: Iterable[Shard] = ()) -> Mapping[Shard, NumberAuthority]:
    """The rows of these shards, or of all, as they are now; missing ones are made."""
    wanted = {_row_of(shard): shard for shard in of or shards()}
    found = {row.pk: row for row in NumberAuthority.objects.filter(pk__in=wanted)}
    if len(found) < len(wanted):
        found |= {row.pk: row for row in _make(wanted.keys() - found.keys())}
    return {shard: found[pk] for pk, shard in wanted.items()}


def read_authority(shard: Shard) -> NumberAuthority:
    """The shard's row as it is now; it is made if it is missing."""
    return read_authorities([shard])[shard]


def _make(missing: Iterable[int]) -> Iterator[NumberAuthority]:
    """New rows. Shards beside others begin as after a loss of Redis, above all epochs."""
    defaults: dict[str, object] = {"since": timezone.now(), "reason": "installed"}
    latest = NumberAuthority.objects.aggregate(latest=Max("epoch"))["latest"]
    if latest is not None:
        defaults |= {"epoch": latest + 1, "is_drained": False, "needs_full_count": True}
    for pk in missing:
        yield NumberAuthority.objects.get_or_create(pk=pk, defaults=defaults)[0]


def hold_authorities(epochs: Mapping[Shard, int], source: Source) -> None:
    """Hold the rows of these shards unchanged until this transaction ends.

    Raises AuthorityChanged unless this is their source, and these are their epochs.
    """
    wanted = {_row_of(shard): epoch for shard, epoch in epochs.items()}
    rows = NumberAuthority.objects.filter(pk__in=wanted, source=source).order_by("pk")
    found = rows.values_list("pk", "epoch")
    # SQLite has one writer at a time, and this transaction is it.
    if connection.vendor == "mysql":
        sql, parameters = found.query.sql_with_params()
        with connection.cursor() as cursor:
            cursor.execute(f"{sql} LOCK IN SHARE MODE", parameters)
            present = cursor.fetchall()
    else:
        present = list(found)
    if dict(present) != wanted:
        raise AuthorityChanged


def lock_authority(shard: Shard) -> NumberAuthority:
    """The shard's row, locked exclusively until this transaction ends."""
    return NumberAuthority.objects.select_for_update().get(pk=_row_of(shard))


def begin_epoch(authority: NumberAuthority, source: Source, reason: str, *, above: int = 0) -> None:
    """Begin an epoch, in which no block of Redis is valid; the caller has locked `authority`.

    The new epoch is above those of all shards, and `above` the given one. It decides what is being
    examined: nothing of the time before counts in it. Redis may have lost dirty flags, so the next
    count job counts everything.
    """
    authority.source = source
    latest = NumberAuthority.objects.aggregate(latest=Max("epoch"))["latest"]
    authority.epoch = max(authority.epoch, latest, above) + 1
    authority.since = timezone.now()
    authority.reason = reason
    authority.examined = authority.examination
    authority.is_drained = False
    authority.needs_full_count = True
    authority.save()


def take_over_for_database(shard: Shard, epoch: int, reason: str) -> None:
    """Let the database give the shard's numbers, unless that epoch has ended already."""
    read_authority(shard)
    with transaction.atomic(durable=True):
        authority = lock_authority(shard)
        if authority.epoch == epoch and authority.source == Source.REDIS:
            begin_epoch(authority, Source.DATABASE, reason)


def request_reports(of: Iterable[Shard]) -> Mapping[Shard, int]:
    """Ask all living processes for the fences of these shards; the numbers of these requests."""
    wanted = {_row_of(shard): shard for shard in read_authorities(of)}
    rows = NumberAuthority.objects.filter(pk__in=wanted)
    with transaction.atomic(durable=True):
        rows.update(examination=F("examination") + 1)
        return {wanted[pk]: number for pk, number in rows.values_list("pk", "examination")}


def raise_fence(shard: Shard, fence: int) -> None:
    """Keep the fence that an ending process has seen; in the caller's transaction."""
    NumberAuthority.objects.filter(pk=_row_of(shard), fence__lt=fence).update(fence=fence)
