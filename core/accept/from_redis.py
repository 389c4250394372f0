"""Numbers from Redis' blocks for a group: one round trip, and more only where a block is missing.

A row that gets its number is pending in Redis by the same step. A new parent gets its first block
with it, whose lease travels in its row, so that its first child costs nothing more.
"""

from collections.abc import Sequence

from core.accept.gathering import Gathering
from core.accept.lending import lend
from core.accept.repeats import ask, settle_known
from core.accept.submission import Submission
from core.metrics import ACCEPT_SECONDS
from core.numbering.blocks import Given, Known, Wanted
from core.numbering.keeper import Keeper
from core.numbering.leases import FIRST_LENGTH
from core.numbering.term import Term
from core.redis.keys import parent_name
from core.rows import Key, Lease

_redis_seconds = ACCEPT_SECONDS.labels("redis")


def number_from_redis(gathering: Gathering, keeper: Keeper, term: Term) -> None:
    """Number what can be; what then still waits has its block provided, or has failed.

    Raises RedisAway, Unanswered, Untrusted, AuthorityChanged.
    """
    by_parent = {
        parent: [(position, gathering.submissions[position]) for position in positions]
        for parent, positions in gathering.waiting_by_parent().items()
    }
    if not by_parent:
        return
    wanted = [_wanted(parent, waiting, term) for parent, waiting in by_parent.items()]
    with _redis_seconds.time():
        given = keeper.blocks.accept(term, wanted)
    # Whoever has numbers gets them before anything else can fail.
    for (parent, waiting), one, answers in zip(by_parent.items(), wanted, given, strict=True):
        _settle(gathering, waiting, one, answers, term)
        if answers.runs_low:
            keeper.renew_soon(parent, term)
    for waiting, answers in zip(by_parent.values(), given, strict=True):
        short = [one for one, answer in zip(waiting, answers.requests, strict=True) if not answer]
        if short:
            _lend(gathering, keeper, term, short)


_Waiting = Sequence[tuple[int, Submission]]


def _wanted(parent: Key, waiting: _Waiting, term: Term) -> Wanted:
    requests = [ask(submission, _first_lease(submission, term)) for _, submission in waiting]
    child_lease = FIRST_LENGTH if waiting[0][1].kind.numbers_children else 0
    return Wanted(parent_name(parent), requests, child_lease)


def _settle(
    gathering: Gathering, waiting: _Waiting, wanted: Wanted, given: Given, term: Term
) -> None:
    answers = zip(waiting, wanted.requests, given.requests, strict=True)
    for (position, submission), asked, answer in answers:
        if isinstance(answer, Known):
            settle_known(gathering, position, answer)
        elif answer is not None:
            lease = _first_lease(submission, term)
            gathering.number(position, submission.numbered(answer, lease, asked.payloads))


def _lend(gathering: Gathering, keeper: Keeper, term: Term, short: _Waiting) -> None:
    """Have numbers lent for all of these, or tell them why not."""
    count = sum(len(submission.rows) for _, submission in short)
    refusal = lend(keeper, term, short[0][1].parent, count)
    if refusal:
        for position, _ in short:
            gathering.fail(position, refusal)


def _first_lease(submission: Submission, term: Term) -> Lease | None:
    return Lease(term.epoch, 1, FIRST_LENGTH) if submission.kind.numbers_children else None
