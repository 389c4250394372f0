"""What follows a commit: flags for the count job, and the rows are no longer pending.

In this order, so that whoever dies in between has flagged too much and nothing too little; rows
that stay pending are stored again by the sweeper, which finds them stored.
"""

from collections import defaultdict
from collections.abc import Sequence

from core.flags import changed_by, flag
from core.redis.guard import NoRedis
from core.redis.settling import settle_in_redis
from core.rows import Kind, NumberedRow


def settle(rows: Sequence[NumberedRow]) -> None:
    """These rows, which came by the queue, are stored or set aside.

    The sweeper leaves what was accepted later to the queue for a while. Without Redis the flags are
    set in the database, and the sweeper removes the rows when Redis is back. Raises
    OperationalError when the database fails then.
    """
    _settle(rows, by_worker=True)


def settle_unqueued(rows: Sequence[NumberedRow]) -> None:
    """The same for rows that came another way and tell nothing of how far the queue is."""
    _settle(rows, by_worker=False)


def _settle(rows: Sequence[NumberedRow], *, by_worker: bool) -> None:
    by_kind: defaultdict[Kind, list[NumberedRow]] = defaultdict(list)
    for row in rows:
        by_kind[row.kind].append(row)
    changed = {kind: changed_by(kind, of_kind) for kind, of_kind in by_kind.items()}
    try:
        settle_in_redis(by_kind, changed, by_worker=by_worker)
    except NoRedis:
        for parents_by_kind in changed.values():
            for kind, parents in parents_by_kind.items():
                flag(kind, parents)
