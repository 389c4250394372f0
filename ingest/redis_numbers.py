"""Numbers for a parent whose block is missing or used up: the one step that needs the database.

A database that hangs costs one group its patience; from then on whoever needs it is told at once,
so that requests of parents with numbers do not wait behind it.

Requests that were made before: each is answered as the first time, and nothing is made twice.

Numbers from Redis' blocks for a group: one round trip, and more only where a block is missing.

A row that gets its number is pending in Redis by the same step. A new parent gets its first block
with it, whose lease travels in its row, so that its first child costs nothing more.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import DatabaseError, InterfaceError

from infra.database import database_breaker
from infra.errors import DomainError, Unavailable
from infra.metrics import ACCEPT_SECONDS
from ingest import redis_keys
from ingest.idempotency import records
from ingest.idempotency.keys import KeyReused
from ingest.idempotency.records import KeyedRequest, Record
from ingest.numbering.agent import KnownAuthority, NumberingAgent
from ingest.numbering.blocks import BlockAnswer, BlockDemand, KnownRequest, RequestNumbers
from ingest.numbering.leases import FIRST_LEASE, extend_block
from ingest.numbering.models import Generation
from ingest.pending import Undecodable, read_member
from ingest.read_your_writes import MaybeQueued, may_be_queued, store_if_pending
from ingest.records import Key, Lease, NumberedRow, from_microseconds, record_type_of_parent
from ingest.redis_keys import parent_name
from ingest.submission import GroupOutcome, Submission


class DatabaseUnavailable(Unavailable):
    """More numbers would be needed, and the database cannot be asked for them."""

    def __init__(self) -> None:
        super().__init__("The database is away, and with it the next numbers.")


def provide_block(
    keeper: NumberingAgent, term: Generation, parent: Key, count: int
) -> DomainError | None:
    """Lend the parent so many numbers at least; why not, where that cannot be.

    Raises RedisAway, Unanswered, Untrusted, AuthorityChanged.
    """
    if database_breaker().is_open:
        return DatabaseUnavailable()
    try:
        return _provide_block(keeper, term, parent, count)
    except (DatabaseError, InterfaceError) as error:
        database_breaker().open(error)
        return DatabaseUnavailable()


def _provide_block(
    keeper: NumberingAgent, term: Generation, parent: Key, count: int
) -> DomainError | None:
    if extend_block(keeper.blocks, term, parent, count):
        return None
    # A chat that is pending is stored first; one that was stored meanwhile is found now.
    if len(parent) > 1:
        store_if_pending(parent)
    if extend_block(keeper.blocks, term, parent, count):
        return None
    return (
        MaybeQueued() if may_be_queued(parent) else record_type_of_parent(parent).parent_missing()
    )


def keyed_requests(submissions: Iterable[Submission]) -> list[KeyedRequest]:
    """Those that may be repeated, as the table knows them."""
    return [(str(one.parent[0]), one.request.key) for one in submissions if one.request]


class StoredKeys:
    """Keys that were used before this epoch began, which Redis may not know of.

    Once nothing from before is queued any more and none of them counts, nobody looks again.
    """

    def __init__(self) -> None:
        self._nothing_before_epoch = 0

    def settle(self, gathering: GroupOutcome, authority: KnownAuthority) -> None:
        """Answer the repeats that the table knows of; those it cannot be asked about fail."""
        keyed = [at for at in gathering.waiting() if gathering.submissions[at].request]
        if not keyed or self._nothing_before_epoch == authority.term.epoch:
            return
        try:
            known = self._find([gathering.submissions[at] for at in keyed], authority)
        except DatabaseUnavailable as away:
            for position in keyed:
                gathering.fail(position, away)
            return
        for position in keyed:
            request = gathering.submissions[position].request
            record = request and known.get(request.key.name)
            if record:
                answer_repeat(
                    gathering, position, record.fingerprint, record.first_number, record.accepted_at
                )

    def _find(
        self, submissions: Sequence[Submission], authority: KnownAuthority
    ) -> Mapping[str, Record]:
        """Raises DatabaseAway, at once where that is known."""
        if database_breaker().is_open:
            raise DatabaseUnavailable
        try:
            if authority.is_drained and not records.any_key_from_before(authority.since):
                self._nothing_before_epoch = authority.term.epoch
                return {}
            return records.find_records(keyed_requests(submissions))
        except (DatabaseError, InterfaceError) as error:
            database_breaker().open(error)
            raise DatabaseUnavailable from error


def block_request(submission: Submission, lease: Lease | None) -> RequestNumbers:
    """What Redis is asked for its rows; each of them may give the numbers of the lease."""
    payloads = submission.payloads(lease)
    if submission.request is None:
        return RequestNumbers(payloads)
    key = submission.request.key
    record = f"{key.fingerprint} {submission.rows[0].accepted_us}"
    return RequestNumbers(payloads, redis_keys.request(str(submission.parent[0]), key.name), record)


def answer_known(gathering: GroupOutcome, position: int, known: KnownRequest) -> None:
    """Answer a repeat that Redis knows of.

    Where its rows still pend they are delivered once more: whoever was the first may have died
    before that, and another delivery of the same row does no harm.
    """
    fingerprint, accepted_us = known.record.split(" ")
    answer_repeat(
        gathering, position, fingerprint, known.first, from_microseconds(int(accepted_us))
    )
    submission = gathering.submissions[position]
    rows = list(_readable_rows(submission, known.pending))
    if submission.request and submission.request.is_repeat and len(rows) == len(submission.rows):
        gathering.number(position, rows)


def answer_repeat(
    gathering: GroupOutcome, position: int, fingerprint: str, first: int, accepted_at: datetime
) -> None:
    """The answer of the first request; or that this one says something else."""
    try:
        rows = gathering.submissions[position].repeated(fingerprint, first, accepted_at)
    except KeyReused as error:
        gathering.fail(position, error)
    else:
        gathering.store(position, rows)


def _readable_rows(submission: Submission, members: Iterable[bytes]) -> Iterable[NumberedRow]:
    for member in members:
        try:
            yield read_member(submission.parent, member).row
        except Undecodable:
            return  # the sweeper sets it aside


_redis_seconds = ACCEPT_SECONDS.labels("redis")


def number_from_redis(gathering: GroupOutcome, keeper: NumberingAgent, term: Generation) -> None:
    """Number what can be; what then still waits has its block provided, or has failed.

    Raises RedisAway, Unanswered, Untrusted, AuthorityChanged.
    """
    by_parent = {
        parent: [(position, gathering.submissions[position]) for position in positions]
        for parent, positions in gathering.waiting_by_parent().items()
    }
    if not by_parent:
        return
    wanted = [_block_demand(parent, waiting, term) for parent, waiting in by_parent.items()]
    with _redis_seconds.time():
        given = keeper.blocks.accept(term, wanted)
    # Whoever has numbers gets them before anything else can fail.
    for (parent, waiting), one, answers in zip(by_parent.items(), wanted, given, strict=True):
        _apply_answers(gathering, waiting, one, answers, term)
        if answers.runs_low:
            keeper.renew_soon(parent, term)
    for waiting, answers in zip(by_parent.values(), given, strict=True):
        short = [one for one, answer in zip(waiting, answers.requests, strict=True) if not answer]
        if short:
            _extend_block(gathering, keeper, term, short)


_Waiting = Sequence[tuple[int, Submission]]


def _block_demand(parent: Key, waiting: _Waiting, term: Generation) -> BlockDemand:
    requests = [
        block_request(submission, _first_lease(submission, term)) for _, submission in waiting
    ]
    child_lease = FIRST_LEASE if waiting[0][1].kind.numbers_children else 0
    return BlockDemand(parent_name(parent), requests, child_lease)


def _apply_answers(
    gathering: GroupOutcome,
    waiting: _Waiting,
    wanted: BlockDemand,
    given: BlockAnswer,
    term: Generation,
) -> None:
    answers = zip(waiting, wanted.requests, given.requests, strict=True)
    for (position, submission), asked, answer in answers:
        if isinstance(answer, KnownRequest):
            answer_known(gathering, position, answer)
        elif answer is not None:
            lease = _first_lease(submission, term)
            gathering.number(position, submission.numbered(answer, lease, asked.payloads))


def _extend_block(
    gathering: GroupOutcome, keeper: NumberingAgent, term: Generation, short: _Waiting
) -> None:
    """Have numbers lent for all of these, or tell them why not."""
    count = sum(len(submission.rows) for _, submission in short)
    refusal = provide_block(keeper, term, short[0][1].parent, count)
    if refusal:
        for position, _ in short:
            gathering.fail(position, refusal)


def _first_lease(submission: Submission, term: Generation) -> Lease | None:
    return Lease(term.epoch, 1, FIRST_LEASE) if submission.kind.numbers_children else None
