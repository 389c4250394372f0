"""What is known of requests that bore a key, in the table."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from django.db import connection
from django.db.models.constants import OnConflict
from django.utils import timezone

from infra.natural_keys import in_pieces
from ingest.idempotency.keys import RequestKey
from ingest.idempotency.models import IdempotencyKey
from ingest.records import NumberedRow

KEPT_FOR = timedelta(hours=24)

_DELETED_AT_ONCE = 1000
_NAME = ("application_token", "name")
_COLUMNS = (*_NAME, "fingerprint", "first_number", "token", "accepted_at")


@dataclass(frozen=True, slots=True)
class Record:
    """What the first request with a key asked for, made, and when."""

    fingerprint: str
    first_number: int
    accepted_at: datetime


KeyedRequest = tuple[str, RequestKey]


def find_records(requests: Iterable[KeyedRequest]) -> Mapping[str, Record]:
    """What is known of these requests, given by application and key; by the key's name."""
    names = [(token, key.name) for token, key in requests]
    return {
        row.name.hex: Record(row.fingerprint.hex, int(row.first_number or 0), row.accepted_at)
        for wanted in in_pieces(_NAME, names)
        for row in IdempotencyKey.objects.filter(wanted, accepted_at__gt=timezone.now() - KEPT_FOR)
    }


def remember_stored(rows: Iterable[NumberedRow]) -> None:
    """Remember the requests of these rows, in the transaction that stores them.

    A key that was forgotten while its row was queued stands for two rows, and for either of them:
    here for the one that is stored last. Raises what the database raises.
    """
    # Joined by hand like the rows themselves: with a key for each, the ORM would cost more than
    # all the rest. (Not INSERT IGNORE, which stores something else where it does not like a value.)
    time = connection.ops.adapt_datetimefield_value
    records = [
        (row.key[0], key.name, key.fingerprint, row.number, "", time(row.accepted_at))
        for row, key in _requests(rows)
    ]
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, _COLUMNS))
    values = ", ".join([f"({', '.join(['%s'] * len(_COLUMNS))})"] * len(records))
    table = quote(IdempotencyKey._meta.db_table)
    last_wins = connection.ops.on_conflict_suffix_sql(
        IdempotencyKey._meta.concrete_fields, OnConflict.UPDATE, _COLUMNS[2:], _NAME
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) VALUES {values} {last_wins}",  # noqa: S608 - all names
            list(chain(*records)),
        )


def claim_new(rows: Iterable[NumberedRow]) -> None:
    """The same where nobody else may have done the request. Raises IntegrityError if one has."""
    records = [
        IdempotencyKey(
            application_token=row.key[0],
            name=key.name,
            fingerprint=key.fingerprint,
            first_number=row.number,
            accepted_at=row.accepted_at,
        )
        for row, key in _requests(rows)
    ]
    names = [(one.application_token, one.name) for one in records]
    for wanted in in_pieces(_NAME, names):
        IdempotencyKey.objects.filter(wanted, accepted_at__lte=timezone.now() - KEPT_FOR).delete()
    IdempotencyKey.objects.bulk_create(records)


def _requests(rows: Iterable[NumberedRow]) -> Iterator[tuple[NumberedRow, RequestKey]]:
    """The first row of each request that bore a key, and that key."""
    for row in rows:
        if row.request is not None:
            yield row, row.request


def any_key_from_before(moment: datetime) -> bool:
    """Whether any request from before this moment still counts."""
    oldest = timezone.now() - KEPT_FOR
    return IdempotencyKey.objects.filter(accepted_at__gt=oldest, accepted_at__lt=moment).exists()


def forget_old_keys(batch_done: Callable[[], object] = lambda: None) -> int:
    """Remove what no longer counts, in short transactions; how many. `batch_done` follows each."""
    removed = 0
    while True:
        old = IdempotencyKey.objects.filter(accepted_at__lte=timezone.now() - KEPT_FOR)
        ids = list(old.order_by("accepted_at").values_list("pk", flat=True)[:_DELETED_AT_ONCE])
        if not ids:
            return removed
        removed += IdempotencyKey.objects.filter(pk__in=ids).delete()[0]
        batch_done()
