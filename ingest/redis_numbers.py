"""Numbers for a group from Redis's blocks: one round trip, and more only if a block is missing.

A missing or used-up block needs the database. A database that hangs delays one group; after that,
requests that need it fail at once, so that the others do not wait behind them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from django.db import DatabaseError, InterfaceError

from infra.database import again_if_broken, database_breaker, note_outage
from infra.errors import DomainError, Unavailable
from infra.redis_client import Shard
from infra.service_errors import is_of_shard
from ingest import redis_keys
from ingest.edits import store_if_pending
from ingest.idempotency import Record
from ingest.message_format import Undecodable, read_member
from ingest.metrics import ACCEPT_SECONDS
from ingest.models import Generation, NumberAuthority
from ingest.numbering.agent import NumberingAgent
from ingest.numbering.blocks import (
    BlockAnswer,
    BlockDemand,
    Blocks,
    KnownRequest,
    RequestNumbers,
    ShardDemand,
    accept_together,
)
from ingest.numbering.errors import NoNumbers
from ingest.numbering.leases import FIRST_LEASE, extend_blocks
from ingest.read_your_writes import MaybeQueued, may_be_queued
from ingest.records import Key, Lease, NumberedRow, from_microseconds, record_type_of_parent
from ingest.redis_keys import parent_name
from ingest.submission import GroupOutcome, Submission


class DatabaseUnavailable(Unavailable):
    """The block is used up, and the database cannot lend more numbers now."""

    detail = "The database is unavailable, and no numbers are left."


def _provide_blocks(
    blocks: Blocks, generation: Generation, wanted: Mapping[Key, int]
) -> Mapping[Key, DomainError]:
    """Extend the parents' blocks by so many numbers or more; the errors where that is impossible.

    Raises NoNumbers, and errors of the database.
    """
    missing = wanted.keys() - extend_blocks(blocks, generation, wanted)
    if not missing:
        return {}
    # A parent that is still pending is stored first; one that was just stored is found now.
    for parent in missing:
        if len(parent) > 1:
            store_if_pending(parent)
    left = {parent: wanted[parent] for parent in missing}
    missing = missing - extend_blocks(blocks, generation, left)
    return {parent: _refusal(parent) for parent in missing}


def _refusal(parent: Key) -> DomainError:
    if may_be_queued(parent):
        return MaybeQueued()
    return record_type_of_parent(parent).parent_missing()


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


def number_from_redis(
    group: GroupOutcome, agent: NumberingAgent, of: Sequence[NumberAuthority]
) -> Mapping[Shard, NoNumbers]:
    """Number the waiting rows of the shards of these authorities, which come in order of shards.

    Where a block has no room it is extended, or the rows fail. Returns why shards got no numbers.
    """
    asked = [one for one in _questions(group, agent, of) if one.waiting]
    with _redis_seconds.time():
        given = accept_together([one.demand for one in asked]) if asked else []
    errors: dict[Shard, NoNumbers] = {}
    all_short: list[tuple[_Asked, Mapping[Key, _Waiting]]] = []
    # Apply the numbers before anything else can fail.
    for one, answers in zip(asked, given, strict=True):
        if isinstance(answers, NoNumbers):
            errors[one.shard] = answers
        else:
            all_short.append((one, _apply_answers(group, agent, one, answers)))
    for one, short in all_short:
        try:
            _extend_blocks(group, one, short)
        except NoNumbers as error:
            errors[one.shard] = error
    return errors


_Waiting = Sequence[tuple[int, Submission]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of the blocks of a shard, and what waits for it, by parent."""

    shard: Shard
    generation: Generation
    waiting: Mapping[Key, _Waiting]
    demand: ShardDemand


def _questions(
    group: GroupOutcome, agent: NumberingAgent, of: Sequence[NumberAuthority]
) -> Iterator[_Asked]:
    by_shard = group.waiting_by_shard()
    for authority in of:
        shard, generation = authority.shard, authority.generation
        waiting: defaultdict[Key, list[tuple[int, Submission]]] = defaultdict(list)
        for position in by_shard.get(shard, ()):
            submission = group.submissions[position]
            waiting[submission.parent].append((position, submission))
        parents = [_block_demand(parent, some, generation) for parent, some in waiting.items()]
        demand = ShardDemand(agent.blocks[shard], generation, parents)
        yield _Asked(shard, generation, waiting, demand)


def _block_demand(parent: Key, waiting: _Waiting, generation: Generation) -> BlockDemand:
    requests = [
        block_request(submission, _first_lease(submission, generation)) for _, submission in waiting
    ]
    child_lease = FIRST_LEASE if waiting[0][1].record_type.numbers_children else 0
    return BlockDemand(parent_name(parent), requests, child_lease)


def _apply_answers(
    group: GroupOutcome, agent: NumberingAgent, asked: _Asked, given: Sequence[BlockAnswer]
) -> Mapping[Key, _Waiting]:
    """Give the numbers; what is left of each parent whose block was too short."""
    of_each = zip(asked.waiting.items(), asked.demand.parents, given, strict=True)
    all_short = {}
    for (parent, waiting), wanted, answers in of_each:
        short = []
        answered = zip(waiting, wanted.requests, answers.requests, strict=True)
        for (position, submission), request, answer in answered:
            if isinstance(answer, KnownRequest):
                answer_known(group, position, answer)
            elif answer is None:
                short.append((position, submission))
            else:
                lease = _first_lease(submission, asked.generation)
                group.number(position, submission.numbered(answer, lease, request.payloads))
        if answers.runs_low:
            agent.renew_soon(parent, asked.generation)
        if short:
            all_short[parent] = short
    return all_short


def _extend_blocks(group: GroupOutcome, asked: _Asked, short: Mapping[Key, _Waiting]) -> None:
    """Extend the blocks for all of these, or fail them. Raises NoNumbers."""
    if not short:
        return
    wanted = {
        parent: sum(len(submission.rows) for _, submission in waiting)
        for parent, waiting in short.items()
    }
    refusals: Mapping[Key, DomainError] = dict.fromkeys(short, DatabaseUnavailable())
    if not database_breaker().is_open:
        try:
            refusals = again_if_broken(
                partial(_provide_blocks, asked.demand.blocks, asked.generation, wanted)
            )
        except (DatabaseError, InterfaceError) as error:
            if is_of_shard(error) and len(short) > 1:
                parents, half = iter(short.items()), len(short) // 2
                _extend_blocks(group, asked, dict(islice(parents, half)))
                _extend_blocks(group, asked, dict(parents))
                return
            note_outage(error)
    for parent, refusal in refusals.items():
        for position, _ in short[parent]:
            group.settle(position, refusal)


def _first_lease(submission: Submission, generation: Generation) -> Lease | None:
    return (
        Lease(generation.epoch, 1, FIRST_LEASE) if submission.record_type.numbers_children else None
    )
