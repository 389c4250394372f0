"""What was purged stays away: a row that comes late, stored and purged before, is not stored again.

A message that is delivered twice, a pending row that is swept, a dead letter that is replayed may
each bring a row whose number is free because it was purged.

Who inserts asks here afterwards, within the transaction of the insert. That is right while a purge
is at work as well, since a purge commits three things in this order: the horizon; the parent's
`purged_through`; the deletion of what lies at or below it. A late row was inserted either before
the deletion came by, which then removes it, having waited for its transaction if need be; or
behind it, and then both marks were committed and are seen here (READ COMMITTED).

It costs an insert one read of one row: younger rows than the horizon are looked at no further.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from infra.database import in_transaction
from infra.natural_keys import in_pieces
from ingest.models import PurgeableParent, PurgeHorizon
from ingest.records import Key, NumberedRow, RecordType, from_microseconds, record_type_of_parent

#: The job that removes them.
PURGE_JOB = "purge"

#: A row is known by the clock of the process that accepted it, and its neighbours by those of
#: others.
CLOCKS_DIFFER = timedelta(hours=1)


def raise_horizon(before: datetime) -> None:
    """From now on rows may be purged that were accepted before this moment.

    Raises RuntimeError within a transaction: it must be seen before anything is purged.
    """
    if not PurgeHorizon.objects.filter(before__gte=before).exists():
        in_transaction(lambda: PurgeHorizon.objects.create(before=before))
        PurgeHorizon.objects.filter(before__lt=before).delete()


def may_be_purged(accepted_at: datetime) -> bool:
    """Whether what was accepted at this moment may have been purged."""
    # Each batch asks this; the ORM takes four times as long.
    quote = connection.ops.quote_name
    sql = f"SELECT 1 FROM {quote('purge_horizon')} WHERE {quote('before')} > %s LIMIT 1"  # noqa: S608 - all names
    with connection.cursor() as cursor:
        cursor.execute(sql, [connection.ops.adapt_datetimefield_value(accepted_at - CLOCKS_DIFFER)])
        return cursor.fetchone() is not None


def purged_rows(rows: Sequence[NumberedRow]) -> list[NumberedRow]:
    """Those of these rows that were purged."""
    by_kind: defaultdict[RecordType, list[NumberedRow]] = defaultdict(list)
    for row in rows:
        by_kind[row.kind].append(row)
    found: list[NumberedRow] = []
    for kind, of_kind in by_kind.items():
        if issubclass(kind.parent, PurgeableParent) and _may_be_purged(of_kind):
            purged = dict(_purged_through(kind, (row.parent for row in of_kind)))
            found += [row for row in of_kind if row.number <= purged.get(row.parent, 0)]
    return found


def is_purged(key: Key) -> bool:
    """Whether what had this key was purged; `key` ends in its number."""
    *parent, number = key
    kind = record_type_of_parent(tuple(parent))
    if not issubclass(kind.parent, PurgeableParent):
        return False
    return any(int(number) <= through for _, through in _purged_through(kind, [tuple(parent)]))


def _may_be_purged(rows: Iterable[NumberedRow]) -> bool:
    return may_be_purged(from_microseconds(min(row.accepted_us for row in rows)))


def _purged_through(kind: RecordType, parents: Iterable[Key]) -> Iterator[tuple[Key, int]]:
    """The parents of which anything was purged, and up to where."""
    for wanted in in_pieces(kind.parent_fields, set(parents)):
        rows = kind.parent._default_manager.filter(wanted & Q(purged_through__gt=0))
        for *parent, through in rows.values_list(*kind.parent_fields, "purged_through"):
            yield tuple(parent), through
