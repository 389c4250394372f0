"""Number authority: one row has the present source of numbers.

A transaction that takes numbers holds the row with a shared lock until it ends, and a transaction
that changes the row waits for it. So no number of an old epoch is given after a new one has begun.
"""

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from ingest.models import NumberAuthority, Source


class LatestEpoch:
    """The latest epoch that this process has read. It only rises, so a slow read does no harm."""

    def __init__(self) -> None:
        self.value = 0

    def learn(self, epoch: int) -> None:
        """Note an epoch that was read from the database."""
        self.value = max(self.value, epoch)


latest_epoch = LatestEpoch()


_ROW = 1


class AuthorityChanged(Exception):
    """The source or the epoch of numbers has changed; read the row again."""


def read_authority() -> NumberAuthority:
    """The row as it is now; it is made if it is missing."""
    authority = NumberAuthority.objects.filter(pk=_ROW).first()
    if authority:
        return authority
    return NumberAuthority.objects.get_or_create(
        pk=_ROW, defaults={"since": timezone.now(), "reason": "installed"}
    )[0]


def hold_authority(source: Source, epoch: int | None = None) -> None:
    """Hold the row unchanged until this transaction ends. Raises AuthorityChanged."""
    authority = NumberAuthority.objects.filter(pk=_ROW)
    if connection.vendor == "mysql":
        sql, parameters = authority.values_list("source", "epoch").query.sql_with_params()
        with connection.cursor() as cursor:
            cursor.execute(f"{sql} LOCK IN SHARE MODE", parameters)
            row = cursor.fetchone()
    else:
        # SQLite has one writer at a time, and this transaction is it.
        row = authority.values_list("source", "epoch").first()
    if row is None or row[0] != source or epoch not in (None, row[1]):
        raise AuthorityChanged


def lock_authority() -> NumberAuthority:
    """The row, locked exclusively until this transaction ends."""
    return NumberAuthority.objects.select_for_update().get(pk=_ROW)


def begin_epoch(authority: NumberAuthority, source: Source, reason: str, *, above: int = 0) -> None:
    """Begin an epoch, in which no block of Redis is valid; the caller has locked `authority`.

    The new epoch is also `above` the given one. It decides what is being examined: nothing of the
    time before counts in it. Redis may have lost dirty flags, so the next count job counts
    everything.
    """
    authority.source = source
    authority.epoch = max(authority.epoch, above) + 1
    authority.since = timezone.now()
    authority.reason = reason
    authority.examined = authority.examination
    authority.is_drained = False
    authority.needs_full_count = True
    authority.save()


def take_over_for_database(epoch: int, reason: str) -> None:
    """Let the database give numbers from now on, unless that epoch has ended already."""
    read_authority()
    with transaction.atomic(durable=True):
        authority = lock_authority()
        if authority.epoch == epoch and authority.source == Source.REDIS:
            begin_epoch(authority, Source.DATABASE, reason)


def request_reports() -> int:
    """Ask all living processes for the fence that they have seen; the number of this request."""
    read_authority()
    with transaction.atomic(durable=True):
        NumberAuthority.objects.filter(pk=_ROW).update(examination=F("examination") + 1)
        return NumberAuthority.objects.values_list("examination", flat=True).get(pk=_ROW)


def raise_fence(fence: int) -> None:
    """Keep the fence that an ending process has seen; in the caller's transaction."""
    NumberAuthority.objects.filter(pk=_ROW, fence__lt=fence).update(fence=fence)
