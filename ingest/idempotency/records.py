"""Records of idempotent requests in the table.

A record without a number and a token is a claim: a request that is about to get its number.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain

from django.db import IntegrityError, connection
from django.db.models import QuerySet
from django.db.models.constants import OnConflict
from django.utils import timezone
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from infra.database import in_transaction
from infra.natural_keys import by_pk, in_pieces
from ingest.idempotency import IdempotentRequest, KeyReused, Record, RequestKey
from ingest.models import IdempotencyKey
from ingest.records import NumberedRow

KEPT_FOR = timedelta(hours=24)

_DELETED_AT_ONCE = 1000
_NAME = ("application_token", "name")
_COLUMNS = (*_NAME, "fingerprint", "first_number", "token", "accepted_at")


KeyedRequest = tuple[str, RequestKey]


def find_records(requests: Iterable[KeyedRequest]) -> Mapping[str, Record]:
    """The records of these requests, by the key's name."""
    names = [(token, key.name) for token, key in requests]
    return {
        row.name.hex: _record(row)
        for wanted in in_pieces(_NAME, names)
        for row in IdempotencyKey.objects.filter(
            wanted, accepted_at__gt=timezone.now() - KEPT_FOR, first_number__isnull=False
        )
    }


def _record(row: IdempotencyKey) -> Record:
    return Record(row.fingerprint.hex, int(row.first_number or 0), row.accepted_at)


class Superseded(Exception):
    """The requests of these rows were accepted again, after Redis had forgotten them."""

    def __init__(self, rows: Sequence[NumberedRow]) -> None:
        super().__init__(f"{len(rows)} rows")
        self.rows = rows


def remember_stored(rows: Iterable[NumberedRow], *, refuse_superseded: bool) -> None:
    """Remember the requests of these rows, in the transaction that stores them.

    `refuse_superseded`: raise Superseded for rows whose requests were accepted again. Else those
    requests keep their records. Raises errors of the database.
    """
    requests = dict(_requests(rows))
    try:
        _insert_records(requests)
    except IntegrityError:  # of that statement alone: the transaction goes on
        superseded = _superseded(requests)
        if superseded and refuse_superseded:
            raise Superseded(superseded) from None
        for row in superseded:
            del requests[row]
        if requests:
            _insert_records(requests, OnConflict.UPDATE)


def _insert_records(
    requests: Mapping[NumberedRow, RequestKey], on_conflict: OnConflict | None = None
) -> None:
    # Joined by hand like the rows: with a key for each row, the ORM would cost more than all the
    # rest. Not INSERT IGNORE, which changes values that it does not accept.
    time = connection.ops.adapt_datetimefield_value
    records = [
        (row.key[0], key.name, key.fingerprint, row.number, "", time(row.accepted_at))
        for row, key in requests.items()
    ]
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, _COLUMNS))
    values = ", ".join([f"({', '.join(['%s'] * len(_COLUMNS))})"] * len(records))
    table = quote(IdempotencyKey._meta.db_table)
    suffix = connection.ops.on_conflict_suffix_sql(
        IdempotencyKey._meta.concrete_fields, on_conflict, _COLUMNS[2:], _NAME
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) VALUES {values} {suffix}",  # noqa: S608 - all names
            list(chain(*records)),
        )


def _superseded(requests: Mapping[NumberedRow, RequestKey]) -> list[NumberedRow]:
    """The rows whose key belongs to another row: that of its record, or else the last of these."""
    names = [(str(row.key[0]), key.name) for row, key in requests.items()]
    valid = IdempotencyKey.objects.filter(accepted_at__gt=timezone.now() - KEPT_FOR)
    records = {
        row.name.hex: row
        for wanted in in_pieces(_NAME, names)
        for row in valid.filter(wanted).select_for_update()
    }
    last = {key.name: row.number for row, key in requests.items()}
    found = []
    for row, key in requests.items():
        record = records.get(key.name)
        number = last[key.name] if record is None else record.first_number
        is_before = record is not None and number is None and row.accepted_at < record.accepted_at
        if is_before or number not in (None, row.number):
            found.append(row)
    return found


def claim_or_find(submitted: Iterable[tuple[KeyedRequest, datetime]]) -> Mapping[str, Record]:
    """The records of these requests, as above; the keys that have none are claimed.

    Each request comes with the time of its rows. A claim has that of the earliest one.
    """
    claims = {
        (token, key.name): IdempotencyKey(
            application_token=token, name=key.name, fingerprint=key.fingerprint, accepted_at=at
        )
        for (token, key), at in sorted(submitted, key=lambda one: one[1], reverse=True)
    }
    return in_transaction(partial(_claim_or_find, claims)) if claims else {}


def _claim_or_find(claims: Mapping[tuple[str, str], IdempotencyKey]) -> Mapping[str, Record]:
    pieces = [IdempotencyKey.objects.filter(wanted) for wanted in in_pieces(_NAME, claims)]
    for keys in pieces:
        keys.filter(accepted_at__lte=timezone.now() - KEPT_FOR).delete()
    IdempotencyKey.objects.bulk_create(claims.values(), ignore_conflicts=True)
    records = {}
    for row in chain.from_iterable(pieces):
        earliest = claims[row.application_token, row.name.hex].accepted_at
        if row.first_number is not None:
            records[row.name.hex] = _record(row)
        elif earliest < row.accepted_at:
            _claims().filter(by_pk([row])).update(accepted_at=earliest)
    return records


def _claims() -> "QuerySet[IdempotencyKey]":
    return IdempotencyKey.objects.filter(first_number=None, token="")


def claim_new(rows: Iterable[NumberedRow]) -> None:
    """Remember requests that must be new. Raises IntegrityError if a rival made one of them."""
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
        _claims().filter(wanted).delete()
    IdempotencyKey.objects.bulk_create(records)


def _requests(rows: Iterable[NumberedRow]) -> Iterator[tuple[NumberedRow, RequestKey]]:
    """The first row of each request with a key, and that key."""
    for row in rows:
        if row.request is not None:
            yield row, row.request


def find_request(application_token: str, key: RequestKey) -> IdempotencyKey | None:
    """The first request with this key that made something without a number. Raises KeyReused."""
    fresh = _same_name(application_token, key).filter(accepted_at__gt=timezone.now() - KEPT_FOR)
    row = fresh.first()
    if row and row.fingerprint.hex != key.fingerprint:
        raise KeyReused
    return row


def claim_request(
    application_token: str, key: RequestKey, made: str, accepted_at: datetime
) -> None:
    """Remember what the request made, in that transaction. Raises IntegrityError if a rival has."""
    _same_name(application_token, key).filter(accepted_at__lte=timezone.now() - KEPT_FOR).delete()
    IdempotencyKey.objects.create(
        application_token=application_token,
        name=key.name,
        fingerprint=key.fingerprint,
        token=made,
        accepted_at=accepted_at,
    )


#: For what remembers a request: if a rival makes the same one at the same time, the next attempt
#: finds what it made.
repeat_after_rival = retry(
    retry=retry_if_exception_type(IntegrityError), stop=stop_after_attempt(3), reraise=True
)


@dataclass(frozen=True)
class Made:
    """What a request has made, and when; `name` is empty if that is all."""

    name: str
    at: datetime


@repeat_after_rival
def make_once(
    application_token: str, request: IdempotentRequest | None, make: Callable[[datetime], str]
) -> Made:
    """What `make` makes in a transaction now, or what the first such request has made.

    `make` gets the time and returns the name. Raises KeyReused, and whatever `make` raises.
    """

    def find_or_make() -> Made:
        first = find_request(application_token, request.key) if request else None
        if request and first:
            request.is_repeat = True
            return Made(first.token, first.accepted_at)
        now = timezone.now()
        made = Made(make(now), now)
        if request:
            claim_request(application_token, request.key, made.name, now)
        return made

    return in_transaction(find_or_make)


def _same_name(application_token: str, key: RequestKey) -> "QuerySet[IdempotencyKey]":
    return IdempotencyKey.objects.filter(application_token=application_token, name=key.name)


def any_key_from_before(moment: datetime) -> bool:
    """Whether a key from before this time has not expired."""
    oldest = timezone.now() - KEPT_FOR
    return IdempotencyKey.objects.filter(accepted_at__gt=oldest, accepted_at__lt=moment).exists()


def forget_old_keys(batch_done: Callable[[], object] = lambda: None) -> int:
    """Remove expired keys in short transactions; the number. Calls `batch_done` after each."""
    removed = 0
    while True:
        old = IdempotencyKey.objects.filter(accepted_at__lte=timezone.now() - KEPT_FOR)
        page = old.order_by("accepted_at").only("application_token")[:_DELETED_AT_ONCE]
        if not (rows := list(page)):
            return removed
        removed += IdempotencyKey.objects.filter(by_pk(rows)).delete()[0]
        batch_done()
