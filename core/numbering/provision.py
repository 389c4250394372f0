"""More numbers for Redis to give to the children of one parent."""

from core.metrics import LEASES
from core.numbering.blocks import Blocks
from core.numbering.leases import ceiling_of, take_lease
from core.numbering.term import Term
from core.redis.keys import parent_name
from core.rows import Key

_lent = LEASES.labels("lent")


def provide_numbers(blocks: Blocks, term: Term, parent: Key, at_least: int = 1) -> bool:
    """Extend the parent's block by a lease; false when the database has no such parent.

    Raises AuthorityChanged, all errors of `blocks`, and OperationalError without a database.
    """
    ceiling = ceiling_of(parent)
    if ceiling is None:
        return False
    name = parent_name(parent)
    # An unknown block is opened before the lease is taken: a rival that comes between, or comes
    # after this process has died, then sees that the lease was not installed.
    block = blocks.open(term, name, ceiling)
    lease = take_lease(parent, term.epoch, block, at_least)
    if lease is None:
        return False
    blocks.install(term, name, block, lease)
    _lent.inc()
    return True
