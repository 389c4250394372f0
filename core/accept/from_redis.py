"""Numbers from Redis' blocks for a group: one round trip, and more only where a block is missing.

A row that gets its number is pending in Redis by the same step. A new parent gets its first block
with it, whose lease travels in its row, so that its first child costs nothing more.
"""

from collections.abc import Mapping

from core.accept.gathering import Gathering
from core.accept.lending import lend
from core.numbering.blocks import Given, Wanted
from core.numbering.keeper import Keeper
from core.numbering.leases import FIRST_LENGTH
from core.numbering.term import Term
from core.redis.keys import parent_name
from core.rows import Key, Lease, NewRow


def number_from_redis(gathering: Gathering, keeper: Keeper, term: Term) -> None:
    """Number what can be; what then still waits has its block provided, or has failed.

    Raises RedisAway, Unanswered, Untrusted, AuthorityChanged.
    """
    by_parent = gathering.waiting_by_parent()
    wanted = [_wanted(gathering, parent, by_parent, term) for parent in by_parent]
    given = dict(zip(by_parent, keeper.blocks.accept(term, wanted), strict=True))
    # Whoever has a number gets it before anything else can fail.
    for parent, numbers in given.items():
        _settle(gathering, by_parent[parent], numbers, term)
        if numbers.runs_low:
            keeper.renew_soon(parent, term)
    for parent, numbers in given.items():
        if numbers.first is None:
            refusal = lend(keeper, term, parent, len(by_parent[parent]))
            if refusal:
                for position in by_parent[parent]:
                    gathering.settle(position, refusal)


def _wanted(
    gathering: Gathering, parent: Key, by_parent: Mapping[Key, list[int]], term: Term
) -> Wanted:
    rows = [gathering.rows[position] for position in by_parent[parent]]
    # The payload does not tell the number, which is not known yet.
    payloads = [row.numbered(0, _first_lease(row, term)).payload() for row in rows]
    child_lease = FIRST_LENGTH if rows[0].kind.numbers_children else 0
    return Wanted(parent_name(parent), payloads, child_lease)


def _settle(gathering: Gathering, positions: list[int], given: Given, term: Term) -> None:
    if given.first is None:
        return
    for number, position in enumerate(positions, start=given.first):
        row = gathering.rows[position]
        gathering.settle(position, row.numbered(number, _first_lease(row, term)))


def _first_lease(row: NewRow, term: Term) -> Lease | None:
    return Lease(term.epoch, 1, FIRST_LENGTH) if row.kind.numbers_children else None
