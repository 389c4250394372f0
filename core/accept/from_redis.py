"""Numbers from Redis' blocks for a group: one round trip, and more only where a block is missing.

A row that gets its number is pending in Redis by the same step. A new parent gets its first block
with it, whose lease travels in its row, so that its first child costs nothing more.
"""

from collections.abc import Mapping

from core.accept.gathering import Gathering
from core.accept.rows import Key, Lease, NewRow
from core.accept.waiting import may_be_queued, store_if_pending
from core.errors import Unavailable
from core.numbering.blocks import Given, Wanted
from core.numbering.keeper import Keeper
from core.numbering.leases import FIRST_LENGTH
from core.numbering.provision import provide_numbers
from core.redis.keys import parent_name


def number_from_redis(gathering: Gathering, keeper: Keeper, epoch: int) -> None:
    """Number what can be; what then still waits has its block provided, or has failed.

    Raises RedisAway, Unanswered, Untrusted, AuthorityChanged, errors of the database.
    """
    by_parent = gathering.waiting_by_parent()
    wanted = [_wanted(gathering, parent, by_parent, epoch) for parent in by_parent]
    given = dict(zip(by_parent, keeper.blocks.accept(epoch, wanted), strict=True))
    # Whoever has a number gets it before anything else can fail.
    for parent, numbers in given.items():
        _settle(gathering, by_parent[parent], numbers, epoch)
        if numbers.runs_low:
            keeper.renew_soon(parent, epoch)
    for parent, numbers in given.items():
        if numbers.first is None:
            _provide(gathering, keeper, epoch, parent, by_parent[parent])


def _wanted(
    gathering: Gathering, parent: Key, by_parent: Mapping[Key, list[int]], epoch: int
) -> Wanted:
    rows = [gathering.rows[position] for position in by_parent[parent]]
    # The payload does not tell the number, which is not known yet.
    payloads = [row.numbered(0, _first_lease(row, epoch)).payload() for row in rows]
    child_lease = FIRST_LENGTH if rows[0].kind.numbers_children else 0
    return Wanted(parent_name(parent), payloads, child_lease)


def _settle(gathering: Gathering, positions: list[int], given: Given, epoch: int) -> None:
    if given.first is None:
        return
    for number, position in enumerate(positions, start=given.first):
        row = gathering.rows[position]
        gathering.settle(position, row.numbered(number, _first_lease(row, epoch)))


def _first_lease(row: NewRow, epoch: int) -> Lease | None:
    return Lease(epoch, 1, FIRST_LENGTH) if row.kind.numbers_children else None


def _provide(
    gathering: Gathering, keeper: Keeper, epoch: int, parent: Key, positions: list[int]
) -> None:
    """Lend numbers for these rows, which then try again; or say that there is no such parent."""
    if provide_numbers(keeper.blocks, epoch, parent, at_least=len(positions)):
        return
    if len(parent) > 1 and store_if_pending(parent):
        return
    if provide_numbers(keeper.blocks, epoch, parent, at_least=len(positions)):
        return
    queued = may_be_queued(parent)
    for position in positions:
        missing = gathering.rows[position].kind.parent_missing()
        waits = Unavailable("It may wait in a queue, which cannot be seen just now.")
        gathering.settle(position, waits if queued else missing)
