"""Which parents the count job has to look at: flags in the table, and how those of Redis get there.

While rows go through Redis, their parents' flags are collected there: a write of its own for each
parent would cost the workers more than the rows do. The count job takes them over before it counts,
and then knows of one place only.
"""

from collections.abc import Callable, Sequence

from core.logs import Event, get_logger
from core.models import CountState
from core.natural_keys import with_keys
from core.numbering.authority import read_authority
from core.numbering.models import NumberAuthority
from core.numbering.restarted import examine_if_restarted
from core.redis.client import is_configured
from core.redis.flags import take_flags
from core.redis.guard import NoRedis
from core.rows import Key, Kind, NumberedRow, kind_of, kinds
from core.transactions import in_transaction

logger = get_logger(__name__)


def changed_by(kind: Kind, rows: Sequence[NumberedRow]) -> dict[Kind, Sequence[Key]]:
    """The parents whose counts these rows of one kind change, by the kind that is counted.

    A row that is a parent itself is among them: its children may have been stored before it, when
    it was not there to be flagged.
    """
    changed: dict[Kind, Sequence[Key]] = {kind: list({row.parent: None for row in rows})}
    if kind.numbers_children:
        changed[kind_of(rows[0].key)] = [row.key for row in rows]
    return changed


def flag(kind: Kind, parents: Sequence[Key]) -> None:
    """Flag those of these parents of such rows that are stored. Raises OperationalError."""
    if not parents:
        return
    rows = kind.parent._default_manager.filter(with_keys(kind.parent_fields, parents))
    in_transaction(lambda: rows.update(count_state=CountState.CHANGED))


def take_over(batch_done: Callable[[], object] = lambda: None) -> int | None:
    """Make Redis' flags flags of the database; without Redis they stay where they are.

    The epoch in which flags were lost, so that everything must be counted; None if none were.
    `batch_done` is called between short pieces of work. Raises OperationalError.
    """
    if not is_configured():
        return None
    authority = read_authority()
    try:
        # A Redis that has lost its flags, and nobody knows yet, would have none to take.
        authority = examine_if_restarted()
        for kind in kinds().values():
            for parents in take_flags(kind.name):
                flag(kind, parents)
                batch_done()
    except NoRedis as error:
        logger.warning(Event.FLAGS_STAY, error=error)
    return authority.epoch if authority.needs_full_count else None


def made_up_for(epoch: int) -> None:
    """Everything has been counted since flags were lost, unless another epoch has begun."""
    NumberAuthority.objects.filter(epoch=epoch).update(needs_full_count=False)
