"""Requests that were made before: each is answered as the first time, and nothing is made twice."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import DatabaseError, InterfaceError

from core.accept.gathering import Gathering
from core.accept.lending import DatabaseAway
from core.accept.submission import Submission
from core.database import breaker
from core.errors import KeyReused
from core.idempotency import records
from core.idempotency.records import Named, Record
from core.numbering.blocks import Asked, Known
from core.numbering.keeper import Authority
from core.redis import keys
from core.redis.pending import Undecodable, read_member
from core.rows import Lease, NumberedRow, moment


def named(submissions: Iterable[Submission]) -> list[Named]:
    """Those that may be repeated, as the table knows them."""
    return [(str(one.parent[0]), one.request.key) for one in submissions if one.request]


class TableKeys:
    """Keys that were used before this epoch began, which Redis may not know of.

    Once nothing from before is queued any more and none of them counts, nobody looks again.
    """

    def __init__(self) -> None:
        self._nothing_before_epoch = 0

    def settle(self, gathering: Gathering, authority: Authority) -> None:
        """Answer the repeats that the table knows of; those it cannot be asked about fail."""
        keyed = [at for at in gathering.waiting() if gathering.submissions[at].request]
        if not keyed or self._nothing_before_epoch == authority.term.epoch:
            return
        try:
            known = self._find([gathering.submissions[at] for at in keyed], authority)
        except DatabaseAway as away:
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
        self, submissions: Sequence[Submission], authority: Authority
    ) -> Mapping[str, Record]:
        """Raises DatabaseAway, at once where that is known."""
        if breaker().is_open:
            raise DatabaseAway
        try:
            if authority.is_drained and not records.any_from_before(authority.since):
                self._nothing_before_epoch = authority.term.epoch
                return {}
            return records.find(named(submissions))
        except (DatabaseError, InterfaceError) as error:
            breaker().open(error)
            raise DatabaseAway from error


def ask(submission: Submission, lease: Lease | None) -> Asked:
    """What Redis is asked for its rows; each of them may give the numbers of the lease."""
    payloads = submission.payloads(lease)
    if submission.request is None:
        return Asked(payloads)
    key = submission.request.key
    record = f"{key.fingerprint} {submission.rows[0].accepted_us}"
    return Asked(payloads, keys.request(str(submission.parent[0]), key.name), record)


def settle_known(gathering: Gathering, position: int, known: Known) -> None:
    """Answer a repeat that Redis knows of.

    Where its rows still pend they are delivered once more: whoever was the first may have died
    before that, and another delivery of the same row does no harm.
    """
    fingerprint, accepted_us = known.record.split(" ")
    answer_repeat(gathering, position, fingerprint, known.first, moment(int(accepted_us)))
    submission = gathering.submissions[position]
    rows = list(_readable(submission, known.pending))
    if submission.request and submission.request.is_repeat and len(rows) == len(submission.rows):
        gathering.number(position, rows)


def answer_repeat(
    gathering: Gathering, position: int, fingerprint: str, first: int, accepted_at: datetime
) -> None:
    """The answer of the first request; or that this one says something else."""
    try:
        rows = gathering.submissions[position].repeated(fingerprint, first, accepted_at)
    except KeyReused as error:
        gathering.fail(position, error)
    else:
        gathering.store(position, rows)


def _readable(submission: Submission, members: Iterable[bytes]) -> Iterable[NumberedRow]:
    for member in members:
        try:
            yield read_member(submission.parent, member).row
        except Undecodable:
            return  # the sweeper sets it aside
