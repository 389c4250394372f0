"""Numbers from Redis' blocks for a group: one round trip, and more only where a block is missing.

A row that gets its number is pending in Redis by the same step. A new parent gets its first block
with it, whose lease travels in its row, so that its first child costs nothing more.
"""

from collections.abc import Sequence
from itertools import count

from core.accept.gathering import Gathering
from core.accept.lending import lend
from core.accept.submission import Submission
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
    by_parent = {
        parent: [(position, gathering.submissions[position]) for position in positions]
        for parent, positions in gathering.waiting_by_parent().items()
    }
    wanted = [_wanted(parent, waiting, term) for parent, waiting in by_parent.items()]
    given = dict(zip(by_parent, keeper.blocks.accept(term, wanted), strict=True))
    # Whoever has numbers gets them before anything else can fail.
    for parent, numbers in given.items():
        _number(gathering, by_parent[parent], numbers, term)
        if numbers.runs_low:
            keeper.renew_soon(parent, term)
    for parent, numbers in given.items():
        if numbers.first is None:
            rows = sum(len(submission.rows) for _, submission in by_parent[parent])
            refusal = lend(keeper, term, parent, rows)
            if refusal:
                for position, _ in by_parent[parent]:
                    gathering.fail(position, refusal)


_Waiting = Sequence[tuple[int, Submission]]


def _wanted(parent: Key, waiting: _Waiting, term: Term) -> Wanted:
    # The payload does not tell the number, which is not known yet.
    payloads = [
        row.numbered(0, _first_lease(row, term)).payload()
        for _, submission in waiting
        for row in submission.rows
    ]
    child_lease = FIRST_LENGTH if waiting[0][1].kind.numbers_children else 0
    return Wanted(parent_name(parent), payloads, child_lease)


def _number(gathering: Gathering, waiting: _Waiting, given: Given, term: Term) -> None:
    if given.first is None:
        return
    numbers = count(given.first)
    for position, submission in waiting:
        rows = [row.numbered(next(numbers), _first_lease(row, term)) for row in submission.rows]
        gathering.number(position, rows)


def _first_lease(row: NewRow, term: Term) -> Lease | None:
    return Lease(term.epoch, 1, FIRST_LENGTH) if row.kind.numbers_children else None
