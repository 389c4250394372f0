"""The guard against late rows: a purged row that is delivered again is not stored again.

Inserts call `purged_rows` afterwards, in the same transaction. This is also correct during a purge,
which commits the horizon, then the parent's `purged_through`, then the deletions. A late row that
is inserted before the deletion reaches it is deleted. One that is inserted after that sees both
marks, which are committed by then (READ COMMITTED).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from infra.database import in_transaction
from infra.natural_keys import in_pieces
from ingest.models import PurgeableParent, PurgeHorizon
from ingest.records import (
    Key,
    NumberedRow,
    RecordType,
    by_record_type,
    from_microseconds,
    record_type_of_parent,
)

#: The name of the purge job.
PURGE_JOB = "purge"

#: Rows bear the clock of the process that accepted them; clocks of hosts may differ this much.
CLOCKS_DIFFER = timedelta(hours=1)


def raise_horizon(before: datetime) -> None:
    """Allow the purge of rows that were accepted before this time. Not inside a transaction."""
    if not PurgeHorizon.objects.filter(before__gte=before).exists():
        in_transaction(lambda: PurgeHorizon.objects.create(before=before))
        PurgeHorizon.objects.filter(before__lt=before).delete()


def may_be_purged(accepted_at: datetime) -> bool:
    """Whether a row that was accepted at this time may have been purged."""
    # Runs once for each batch; the ORM takes four times as long.
    quote = connection.ops.quote_name
    sql = f"SELECT 1 FROM {quote('purge_horizon')} WHERE {quote('before')} > %s LIMIT 1"  # noqa: S608 - all names
    with connection.cursor() as cursor:
        cursor.execute(sql, [connection.ops.adapt_datetimefield_value(accepted_at - CLOCKS_DIFFER)])
        return cursor.fetchone() is not None


def purged_rows(rows: Sequence[NumberedRow]) -> list[NumberedRow]:
    """The rows that were purged before."""
    found: list[NumberedRow] = []
    for record_type, typed_rows in by_record_type(rows).items():
        if not issubclass(record_type.parent, PurgeableParent):
            continue
        if may_be_purged(from_microseconds(min(row.accepted_us for row in typed_rows))):
            purged = dict(_purged_through(record_type, (row.parent for row in typed_rows)))
            found += [row for row in typed_rows if row.number <= purged.get(row.parent, 0)]
    return found


def is_purged(key: Key) -> bool:
    """Whether the row with this key was purged; `key` ends in its number."""
    *parent, number = key
    record_type = record_type_of_parent(tuple(parent))
    if not issubclass(record_type.parent, PurgeableParent):
        return False
    return any(
        int(number) <= through for _, through in _purged_through(record_type, [tuple(parent)])
    )


def _purged_through(record_type: RecordType, parents: Iterable[Key]) -> Iterator[tuple[Key, int]]:
    """The parents with purged rows, each with its last purged number."""
    for wanted in in_pieces(record_type.parent_fields, set(parents)):
        rows = record_type.parent._default_manager.filter(wanted & Q(purged_through__gt=0))
        for *parent, through in rows.values_list(*record_type.parent_fields, "purged_through"):
            yield tuple(parent), through
