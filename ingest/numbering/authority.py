"""The latest epoch that this process has read, for what must hold while the database is away.

Who gives numbers now: one row, read by every transaction that takes numbers from the database.

Whoever takes numbers holds the row shared until its transaction ends, and who changes it waits for
them: so no number of an old epoch is handed out after the new one has begun.
"""

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from ingest.numbering.models import NumberAuthority, Source


class LatestEpoch:
    """Rises, as epochs do: a read that was slow makes it no older."""

    def __init__(self) -> None:
        self.value = 0

    def learn(self, epoch: int) -> None:
        """This epoch was read from the database."""
        self.value = max(self.value, epoch)


latest_epoch = LatestEpoch()


_ROW = 1


class AuthorityChanged(Exception):
    """Somebody else gives numbers now, or in another epoch; look again."""


def read_authority() -> NumberAuthority:
    """The row as it is now."""
    authority = NumberAuthority.objects.filter(pk=_ROW).first()
    if authority:
        return authority
    return NumberAuthority.objects.get_or_create(
        pk=_ROW, defaults={"since": timezone.now(), "reason": "installed"}
    )[0]


def hold_authority(source: Source, epoch: int | None = None) -> None:
    """Let nobody change it until this transaction ends. Raises AuthorityChanged."""
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
    """The row, which nobody else may change or hold until this transaction ends."""
    return NumberAuthority.objects.select_for_update().get(pk=_ROW)


def begin_epoch(authority: NumberAuthority, source: Source, reason: str, *, above: int = 0) -> None:
    """No block that Redis holds counts from now on; `authority` is locked by the caller.

    The epoch lies `above` that one too. Flags that Redis held may be lost, so all is counted once.
    """
    authority.source = source
    authority.epoch = max(authority.epoch, above) + 1
    authority.since = timezone.now()
    authority.reason = reason
    authority.is_drained = False
    authority.needs_full_count = True
    authority.save()


def take_over_for_database(epoch: int, reason: str) -> None:
    """From now on the database gives numbers, unless somebody has changed that epoch already."""
    read_authority()
    with transaction.atomic(durable=True):
        authority = lock_authority()
        if authority.epoch == epoch and authority.source == Source.REDIS:
            begin_epoch(authority, Source.DATABASE, reason)


def request_reports() -> int:
    """Ask all living processes for the fence they have seen; the number of this question."""
    read_authority()
    with transaction.atomic(durable=True):
        NumberAuthority.objects.filter(pk=_ROW).update(examination=F("examination") + 1)
        return NumberAuthority.objects.values_list("examination", flat=True).get(pk=_ROW)


def raise_fence(fence: int) -> None:
    """A process that ends had seen this fence; in the caller's transaction."""
    NumberAuthority.objects.filter(pk=_ROW, fence__lt=fence).update(fence=fence)
