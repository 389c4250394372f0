"""Idempotency keys: each names what its request has made, in the transaction that made it.

A key says the first number and not whose child it is; the row is known by the moment of its
acceptance, which both have. A row that was purged leaves its key to answer for the rest of its day.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from django.utils import timezone

from infra.natural_keys import behind
from ingest.idempotency.models import IdempotencyKey
from ingest.idempotency.records import KEPT_FOR
from ingest.late_rows import may_be_purged
from ingest.models import PurgeableParent
from ingest.records import record_types
from operations.audit.checks import Walk
from operations.audit.findings import Finding, error

PAGE = 5000
_ORDER = ("application_token", "name")


def idempotency_keys(walk: Walk) -> Iterator[Finding]:
    """Every key that still counts has its row."""
    rows = IdempotencyKey.objects.order_by(*_ORDER)
    after = walk.after
    while page := list(rows.filter(behind(_ORDER, after))[:PAGE]):
        still_count = [row for row in page if row.accepted_at > timezone.now() - KEPT_FOR]
        for token, keys in groupby(still_count, key=lambda row: row.application_token):
            yield from _of_application(token, list(keys))
        after = (page[-1].application_token, page[-1].name.hex)
        walk.reached(after, len(page))


def _of_application(token: str, keys: Sequence[IdempotencyKey]) -> Iterator[Finding]:
    made = _tokens_made(keys) if not token else set()
    numbered = [key for key in keys if key.first_number is not None]
    there = _rows_made(token, {int(key.first_number or 0) for key in numbered})
    for key in keys:
        if key.first_number is None:
            if not token and key.token not in made:
                yield _told((key.token,), key, "an application that does not exist")
        elif (key.first_number, key.accepted_at) not in there and not _may_be_purged(token, key):
            yield _told((token,), key, f"number {key.first_number}, which no row of then has")


def _may_be_purged(token: str, key: IdempotencyKey) -> bool:
    """Whether there is a parent whose child of this number was purged."""
    if not may_be_purged(key.accepted_at):
        return False
    return any(
        kind.parent._default_manager.filter(
            **{kind.parent_fields[0]: token, "purged_through__gte": key.first_number}
        ).exists()
        for kind in record_types().values()
        if issubclass(kind.parent, PurgeableParent)
    )


def _told(key: Sequence[str], row: IdempotencyKey, what: str) -> Finding:
    return error("idempotency_keys", key, f"key {row.name.hex} names {what}")


def _tokens_made(keys: Sequence[IdempotencyKey]) -> set[str]:
    """Which of the applications that these name are there."""
    of_applications = next(iter(record_types().values()))
    tokens = {key.token for key in keys}
    [field] = of_applications.parent_fields
    applications = of_applications.parent._default_manager
    return set(applications.filter(**{f"{field}__in": tokens}).values_list(field, flat=True))


def _rows_made(token: str, numbers: set[int]) -> set[tuple[int, object]]:
    """Number and moment of all rows of the application that have one of these numbers."""
    found: set[tuple[int, object]] = set()
    for kind in record_types().values() if numbers else ():
        first, *_, number = kind.key_fields
        rows = kind.model._default_manager.filter(**{first: token, f"{number}__in": numbers})
        found |= set(rows.values_list(number, "created_at").iterator())
    return found
