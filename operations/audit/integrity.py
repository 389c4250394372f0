"""References between rows, and unique keys: what foreign keys and unique indexes would enforce.

Rows may arrive before their parent, so there is no foreign key, and a missing parent is rechecked.
An idempotency key names what its request has made, in the transaction that made it. It stores the
first number but not its parent; the row is recognized by the time of its acceptance, which both
have. The key of a purged row stays to answer repeats for the rest of its day.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

from django.db import connection
from django.db.models import Count
from django.utils import timezone

from infra.natural_keys import behind, in_pieces
from infra.redis_client import redis_is_configured
from ingest.erasure import letters_of_row
from ingest.idempotency.records import KEPT_FOR
from ingest.late_rows import may_be_purged
from ingest.models import IdempotencyKey, PurgeableParent
from ingest.read_your_writes import find_pending
from ingest.records import Key, RecordType, record_type_of_parent, record_types
from operations.audit.checks import (
    Check,
    Cursor,
    Finding,
    Position,
    QuickCheck,
    error,
    info,
    recheck,
)
from operations.audit.gaps import skip_of

REPEATED_PAGE = 100
PARENTS_PAGE = 1000
IDEMPOTENCY_PAGE = 5000
_IDEMPOTENCY_ORDER = ("application_token", "name")


def unique_keys(cursor: Cursor) -> Iterator[Finding]:
    """Each table has the unique index of its key; if not, report the keys stored twice."""
    for kind in record_types().values():
        cursor.pause()
        table = kind.model._meta.db_table
        if not _is_unique(table, kind.key_fields):
            yield error("duplicates", (), f"{table} has no unique index of its key")
            yield from _repeated_keys(kind, cursor)


def _is_unique(table: str, fields: tuple[str, ...]) -> bool:
    with connection.cursor() as database:
        constraints = connection.introspection.get_constraints(database, table)
    return any(
        about["unique"] and tuple(about["columns"]) == fields for about in constraints.values()
    )


def _repeated_keys(kind: RecordType, cursor: Cursor) -> Iterator[Finding]:
    fields = kind.key_fields
    groups = kind.model._default_manager.order_by(*fields).values_list(*fields)
    repeated = groups.annotate(n=Count("pk")).filter(n__gt=1)
    page = repeated[:REPEATED_PAGE]
    while found := list(page):
        for *parent, number, times in found:
            yield error("duplicates", parent, f"{kind.name} {number} is stored {times} times")
        cursor.pause()
        page = repeated.filter(behind(fields, found[-1][:-1]))[:REPEATED_PAGE]


def parents_of(kind: RecordType) -> Check:
    """The check that the parent of each row exists."""

    def run(cursor: Cursor) -> Iterator[Finding]:
        pages = (QuickCheck(*page) for page in without_parent(kind, cursor.after))
        return recheck(cursor, pages, partial(_recheck_parent, kind))

    return Check(f"parents of {kind.name}", run)


def without_parent(
    kind: RecordType, after: Position | None
) -> Iterator[tuple[Position, int, list[Key]]]:
    """Page by page: the last parent of the page, its number of parents, the missing ones."""
    *shared, _ = kind.key_fields
    keys = kind.model._default_manager.order_by(*shared).values_list(*shared).distinct()
    while found := [tuple(key) for key in keys.filter(behind(shared, after))[:PARENTS_PAGE]]:
        existing = {
            tuple(key)
            for wanted in in_pieces(kind.parent_fields, found)
            for key in kind.parent._default_manager.filter(wanted).values_list(*kind.parent_fields)
        }
        yield found[-1], len(found), [key for key in found if key not in existing]
        after = found[-1]


def _recheck_parent(kind: RecordType, parent: Key) -> Iterator[Finding]:
    # In the order in which a row moves: from Redis to the table, or to the dead letters.
    if _is_pending(parent) or kind.parent_row(parent).exists() or _is_dead_letter(parent):
        return
    detail = f"{kind.name} are stored, but their parent is missing"
    *grandparent, number = parent
    skip = skip_of(tuple(grandparent), int(number)) if grandparent else None
    if skip is None:
        yield error("orphans", parent, detail)
    else:
        yield info("orphans", parent, f"{detail}: {skip.reason}")


def _is_pending(key: Key) -> bool:
    return len(key) > 1 and redis_is_configured() and find_pending(key) is not None


def _is_dead_letter(key: Key) -> bool:
    """Whether the row of this key is a dead letter, which is a finding of its own."""
    *grandparent, _ = key
    if not grandparent:
        return False
    kind = record_type_of_parent(tuple(grandparent))
    return letters_of_row(kind, key).exists()


def idempotency_keys(cursor: Cursor) -> Iterator[Finding]:
    """Each idempotency key that is still valid has its row."""
    rows = IdempotencyKey.objects.order_by(*_IDEMPOTENCY_ORDER)
    after = cursor.after
    while page := list(rows.filter(behind(_IDEMPOTENCY_ORDER, after))[:IDEMPOTENCY_PAGE]):
        valid = [row for row in page if row.accepted_at > timezone.now() - KEPT_FOR]
        for token, keys in groupby(valid, key=lambda row: row.application_token):
            yield from _keys_of_application(token, list(keys))
        after = (page[-1].application_token, page[-1].name.hex)
        cursor.reached(after, len(page))


def _keys_of_application(token: str, keys: Sequence[IdempotencyKey]) -> Iterator[Finding]:
    made = _existing_tokens(keys) if not token else set()
    numbered = [key for key in keys if key.first_number is not None]
    stored = _numbers_and_times(token, {int(key.first_number or 0) for key in numbered})
    for key in keys:
        if key.first_number is None:
            if not token and key.token not in made:
                yield _dangling((key.token,), key, "an application that does not exist")
        elif (key.first_number, key.accepted_at) not in stored and not _may_be_purged(token, key):
            what = f"number {key.first_number}, but no row accepted at that time has it"
            yield _dangling((token,), key, what)


def _may_be_purged(token: str, key: IdempotencyKey) -> bool:
    """Whether the number of the key was purged in any parent of the application."""
    if not may_be_purged(key.accepted_at):
        return False
    return any(
        kind.parent._default_manager.filter(
            **{kind.parent_fields[0]: token, "purged_through__gte": key.first_number}
        ).exists()
        for kind in record_types().values()
        if issubclass(kind.parent, PurgeableParent)
    )


def _dangling(key: Sequence[str], row: IdempotencyKey, what: str) -> Finding:
    return error("idempotency_keys", key, f"key {row.name.hex} names {what}")


def _existing_tokens(keys: Sequence[IdempotencyKey]) -> set[str]:
    of_applications = next(iter(record_types().values()))
    tokens = {key.token for key in keys}
    [field] = of_applications.parent_fields
    applications = of_applications.parent._default_manager
    return set(applications.filter(**{f"{field}__in": tokens}).values_list(field, flat=True))


def _numbers_and_times(token: str, numbers: set[int]) -> set[tuple[int, object]]:
    """Number and acceptance time of all rows of the application with one of these numbers."""
    found: set[tuple[int, object]] = set()
    for kind in record_types().values() if numbers else ():
        first, *_, number = kind.key_fields
        rows = kind.model._default_manager.filter(**{first: token, f"{number}__in": numbers})
        found |= set(rows.values_list(number, "created_at").iterator())
    return found
