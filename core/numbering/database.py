"""Numbers from the database: consecutive, never repeated, never taken back.

A parent's `number_ceiling` is the highest number ever given to one of its children or lent to
Redis. Taking numbers raises it in the same transaction that inserts the rows, under the parent's
row lock: a transaction that fails gives its numbers back by never having happened, so there is
neither a gap nor a repeat. Only where numbers were lent to Redis may some be skipped.
"""

from django.db import transaction
from django.db.models import F, QuerySet

from core.models import CountState, Parent
from core.numbering.skips import record_skip


def take_numbers(parent: "QuerySet[Parent]", count: int) -> range | None:
    """The next `count` numbers of this one parent, or None when there is no such parent.

    To be called inside the transaction that inserts the rows; holds the parent's lock to its end,
    so transactions that take numbers of several parents must do so in one order. The parent is
    marked for the count job by the same write.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("take_numbers needs the transaction that inserts the rows")
    # The write comes first: it locks the row, where a read first would let a rival read the same.
    raised = parent.update(
        number_ceiling=F("number_ceiling") + count, count_state=CountState.CHANGED
    )
    if not raised:
        return None
    ceiling, lease_epoch = parent.values_list("number_ceiling", "lease_epoch").get()
    first = ceiling - count + 1
    if lease_epoch is not None:
        record_skip(parent.get().key, first, "numbers from the database")
        parent.update(lease_epoch=None)
    return range(first, ceiling + 1)
