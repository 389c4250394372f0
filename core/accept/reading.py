"""Reading and editing rows of which some are accepted and not stored yet.

What is stored costs nothing more than its query. A row that is not there is looked for among the
pending ones, and once more in the table, since it may have moved there in between.
"""

from functools import partial
from typing import Any, TypeVar, cast

from django.db.models import Model, QuerySet

from core.accept.waiting import Waits, may_be_queued, store_if_pending
from core.changes import tell
from core.redis.client import is_configured
from core.redis.pending import find_pending
from core.rows import Key, kind_of
from core.transactions import in_transaction
from core.versions import Versions, change_row

Row = TypeVar("Row", bound=Model)


def look_again(rows: "QuerySet[Row]", key: Key) -> Row | None:
    """The one row of this key, which was not stored a moment ago. Raises Waits."""
    if not is_configured():
        return None
    pending = find_pending(key)
    if pending is not None:
        return cast("Row", pending.instance())
    row = rows.first()
    if row is None and may_be_queued(key):
        raise Waits
    return row


def edit(rows: "QuerySet[Row]", key: Key, expected: Versions | None, **values: Any) -> Row | None:
    """The one row of this key with new values; None where there is no such row.

    Raises Stale when it has none of the `expected` versions; Waits.

    A pending row is stored first. The insert that is still queued is dropped when it comes, as that
    of a row which is stored already, so the edit stays.
    """
    change = partial(in_transaction, partial(_change, rows, key, expected, values))
    row = change()
    if row is None and is_configured():
        store_if_pending(key)
        row = change()
        if row is None and may_be_queued(key):
            raise Waits
    return row


def _change(
    rows: "QuerySet[Row]", key: Key, expected: Versions | None, values: dict[str, Any]
) -> Row | None:
    if not change_row(rows, expected, **values):
        return None
    tell(kind_of(key[:-1]), [key])
    return rows.get()
