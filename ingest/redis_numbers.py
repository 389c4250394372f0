"""Numbers for a group from Redis's blocks: one round trip, and more only if a block is missing.

A missing or used-up block needs the database. A database that hangs delays one group; after that,
requests that need it fail at once, so that the others do not wait behind them.
"""

from collections.abc import Iterable, Mapping, Sequence

from django.db import DatabaseError, InterfaceError

from infra.database import database_breaker
from infra.errors import DomainError, Unavailable
from ingest import redis_keys
from ingest.edits import store_if_pending
from ingest.idempotency import Record, records
from ingest.message_format import Undecodable, read_member
from ingest.metrics import ACCEPT_SECONDS
from ingest.models import Generation, NumberAuthority
from ingest.numbering.agent import NumberingAgent
from ingest.numbering.blocks import BlockAnswer, BlockDemand, KnownRequest, RequestNumbers
from ingest.numbering.leases import FIRST_LEASE, extend_block
from ingest.read_your_writes import MaybeQueued, may_be_queued
from ingest.records import Key, Lease, NumberedRow, from_microseconds, record_type_of_parent
from ingest.redis_keys import parent_name
from ingest.submission import GroupOutcome, Submission, keyed_requests


class DatabaseUnavailable(Unavailable):
    """The block is used up, and the database cannot lend more numbers now."""

    detail = "The database is unavailable, and no numbers are left."


def _provide_block(
    agent: NumberingAgent, generation: Generation, parent: Key, count: int
) -> DomainError | None:
    """Extend the parent's block by at least `count` numbers; the error if that is impossible."""
    if extend_block(agent.blocks, generation, parent, count):
        return None
    # A parent that is still pending is stored first; one that was just stored is found now.
    if len(parent) > 1:
        store_if_pending(parent)
    if extend_block(agent.blocks, generation, parent, count):
        return None
    return (
        MaybeQueued() if may_be_queued(parent) else record_type_of_parent(parent).parent_missing()
    )


class StoredKeys:
    """Idempotency keys from before this epoch, which Redis may not know.

    Once nothing from before is queued and all those keys have expired, the table is not read again.
    """

    def __init__(self) -> None:
        self._nothing_before_epoch = 0

    def settle(self, group: GroupOutcome, authority: NumberAuthority) -> None:
        """Answer the repeats that the table knows; fail keyed requests if it cannot be read."""
        keyed = [at for at in group.waiting() if group.submissions[at].request]
        if not keyed or self._nothing_before_epoch == authority.generation.epoch:
            return
        try:
            known = self._find([group.submissions[at] for at in keyed], authority)
        except DatabaseUnavailable as away:
            for position in keyed:
                group.settle(position, away)
            return
        for position in keyed:
            request = group.submissions[position].request
            record = request and known.get(request.key.name)
            if record:
                group.settle(position, group.submissions[position].repeated(record))

    def _find(
        self, submissions: Sequence[Submission], authority: NumberAuthority
    ) -> Mapping[str, Record]:
        """Raises DatabaseUnavailable, at once if that is known."""
        if database_breaker().is_open:
            raise DatabaseUnavailable
        try:
            if authority.is_drained and not records.any_key_from_before(authority.since):
                self._nothing_before_epoch = authority.generation.epoch
                return {}
            return records.find_records(keyed_requests(submissions))
        except (DatabaseError, InterfaceError) as error:
            database_breaker().open(error)
            raise DatabaseUnavailable from error


def block_request(submission: Submission, lease: Lease | None) -> RequestNumbers:
    """The request to Redis for numbers of these rows; each may give the numbers of the lease."""
    payloads = submission.payloads(lease)
    if submission.request is None:
        return RequestNumbers(payloads)
    key = submission.request.key
    record = f"{key.fingerprint} {submission.rows[0].accepted_us}"
    return RequestNumbers(payloads, redis_keys.request(str(submission.parent[0]), key.name), record)


def answer_known(group: GroupOutcome, position: int, known: KnownRequest) -> None:
    """Answer a repeat that Redis knows.

    If its rows are still pending they are delivered again: the process of the first request may
    have died before it delivered them, and a second delivery of a row does no harm.
    """
    fingerprint, accepted_us = known.record.split(" ")
    submission = group.submissions[position]
    record = Record(fingerprint, known.first, from_microseconds(int(accepted_us)))
    group.settle(position, submission.repeated(record))
    rows = list(_readable_rows(submission, known.pending))
    if submission.request and submission.request.is_repeat and len(rows) == len(submission.rows):
        group.number(position, rows)


def _readable_rows(submission: Submission, members: Iterable[bytes]) -> Iterable[NumberedRow]:
    for member in members:
        try:
            yield read_member(submission.parent, member).row
        except Undecodable:
            return  # the sweeper makes it a dead letter


_redis_seconds = ACCEPT_SECONDS.labels("redis")


def number_from_redis(group: GroupOutcome, agent: NumberingAgent, generation: Generation) -> None:
    """Number the submissions whose blocks have room; for the others extend the block, or fail them.

    Raises NumbersUnavailable, Unanswered, Untrusted, AuthorityChanged.
    """
    by_parent = {
        parent: [(position, group.submissions[position]) for position in positions]
        for parent, positions in group.waiting_by_parent().items()
    }
    if not by_parent:
        return
    wanted = [_block_demand(parent, waiting, generation) for parent, waiting in by_parent.items()]
    with _redis_seconds.time():
        given = agent.blocks.accept(generation, wanted)
    # Apply the numbers before anything else can fail.
    for (parent, waiting), one, answers in zip(by_parent.items(), wanted, given, strict=True):
        _apply_answers(group, waiting, one, answers, generation)
        if answers.runs_low:
            agent.renew_soon(parent, generation)
    for waiting, answers in zip(by_parent.values(), given, strict=True):
        short = [one for one, answer in zip(waiting, answers.requests, strict=True) if not answer]
        if short:
            _extend_block(group, agent, generation, short)


_Waiting = Sequence[tuple[int, Submission]]


def _block_demand(parent: Key, waiting: _Waiting, generation: Generation) -> BlockDemand:
    requests = [
        block_request(submission, _first_lease(submission, generation)) for _, submission in waiting
    ]
    child_lease = FIRST_LEASE if waiting[0][1].record_type.numbers_children else 0
    return BlockDemand(parent_name(parent), requests, child_lease)


def _apply_answers(
    group: GroupOutcome,
    waiting: _Waiting,
    wanted: BlockDemand,
    given: BlockAnswer,
    generation: Generation,
) -> None:
    answers = zip(waiting, wanted.requests, given.requests, strict=True)
    for (position, submission), asked, answer in answers:
        if isinstance(answer, KnownRequest):
            answer_known(group, position, answer)
        elif answer is not None:
            lease = _first_lease(submission, generation)
            group.number(position, submission.numbered(answer, lease, asked.payloads))


def _extend_block(
    group: GroupOutcome, agent: NumberingAgent, generation: Generation, short: _Waiting
) -> None:
    """Extend the block for all of these, or fail them."""
    count = sum(len(submission.rows) for _, submission in short)
    refusal: DomainError | None = DatabaseUnavailable()
    if not database_breaker().is_open:
        try:
            refusal = _provide_block(agent, generation, short[0][1].parent, count)
        except (DatabaseError, InterfaceError) as error:
            database_breaker().open(error)
    if refusal:
        for position, _ in short:
            group.settle(position, refusal)


def _first_lease(submission: Submission, generation: Generation) -> Lease | None:
    return (
        Lease(generation.epoch, 1, FIRST_LEASE) if submission.record_type.numbers_children else None
    )
