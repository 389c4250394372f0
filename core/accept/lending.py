"""Numbers for a parent whose block is missing or used up: the one step that needs the database.

A database that hangs costs one group its patience; from then on whoever needs it is told at once,
so that requests of parents with numbers do not wait behind it.
"""

from django.db import DatabaseError, InterfaceError

from core.accept.waiting import Waits, may_be_queued, store_if_pending
from core.database import breaker
from core.errors import DomainError, Unavailable
from core.numbering.keeper import Keeper
from core.numbering.provision import provide_numbers
from core.numbering.term import Term
from core.rows import Key, kind_of


class DatabaseAway(Unavailable):
    """More numbers would be needed, and the database cannot be asked for them."""

    def __init__(self) -> None:
        super().__init__("The database is away, and with it the next numbers.")


def lend(keeper: Keeper, term: Term, parent: Key, count: int) -> DomainError | None:
    """Lend the parent so many numbers at least; why not, where that cannot be.

    Raises RedisAway, Unanswered, Untrusted, AuthorityChanged.
    """
    if breaker().is_open:
        return DatabaseAway()
    try:
        return _lend(keeper, term, parent, count)
    except (DatabaseError, InterfaceError) as error:
        breaker().open(error)
        return DatabaseAway()


def _lend(keeper: Keeper, term: Term, parent: Key, count: int) -> DomainError | None:
    if provide_numbers(keeper.blocks, term, parent, count):
        return None
    # A chat that is pending is stored first; one that was stored meanwhile is found now.
    if len(parent) > 1:
        store_if_pending(parent)
    if provide_numbers(keeper.blocks, term, parent, count):
        return None
    return Waits() if may_be_queued(parent) else kind_of(parent).parent_missing()
