"""The one way in for new rows: a number for each row of a group, then delivery.

docs/architecture.md ("Group commit") has the ways. Only a row that surely has no number may take
another way; if that is unknown, its request is answered so. A row that cannot be delivered now
stays pending until the sweeper delivers it.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from infra.database import renew_connection
from infra.errors import Unavailable
from infra.event_loop import pause
from infra.logs import Event, get_logger
from infra.rabbitmq.connection import BrokerUnavailable
from infra.rabbitmq.publisher import publisher
from infra.redis_client import Shard
from infra.timeouts import (
    REDIS_DECISION_SECONDS,
    REDIS_GRACE_SECONDS,
    REQUEST_NUMBER_SECONDS,
    REQUEST_UNDECIDED_SECONDS,
)
from ingest.database_numbers import number_and_store
from ingest.earlier_keys import EarlierKeys, StillQueued
from ingest.group_commit import GroupCommit, GroupLimits, OutcomeOpen, QueueIsFull
from ingest.idempotency import IdempotentRequest
from ingest.idempotent_insert import store_rows
from ingest.message_format import write_message
from ingest.metrics import ACCEPT_SECONDS, ACCEPTED, GROUP_ROWS
from ingest.models import Source
from ingest.numbering.agent import NumberingAgent
from ingest.numbering.authority import hold_authorities, take_over_for_database
from ingest.numbering.errors import (
    AuthorityChanged,
    Moving,
    NoNumbers,
    NumbersUnavailable,
    Unanswered,
    UnderExamination,
    Untrusted,
)
from ingest.numbering.fencing import verify_servers
from ingest.post_commit import finish_unqueued
from ingest.read_your_writes import MaybeQueued, may_be_queued
from ingest.records import NewRow, NumberedRow, RecordType, by_record_type
from ingest.redis_numbers import DatabaseUnavailable, number_from_redis
from ingest.submission import GroupOutcome, Submission

logger = get_logger(__name__)

#: The pause before a group asks a failing Redis again.
_RETRY_SECONDS = 0.05
#: The pause before a request asks again whether an earlier row of it may be queued.
_QUEUED_RETRY_SECONDS = 0.2
_ATTEMPTS_AT_ONCE = 3
_publish_seconds, _insert_seconds = map(ACCEPT_SECONDS.labels, ("publish", "insert"))
_queued, _inserted = map(ACCEPTED.labels, ("queue", "insert"))


class NotDelivered(Exception):
    """Neither the queue nor the database accepts the rows now."""


def deliver(rows: Sequence[NumberedRow]) -> None:
    """Put the rows into their queues or into the database. Raises NotDelivered."""
    for record_type, typed_rows in by_record_type(rows).items():
        if not _publish_rows(record_type, typed_rows):
            _insert_rows(typed_rows)


def _publish_rows(record_type: RecordType, rows: Sequence[NumberedRow]) -> bool:
    if not settings.ENVIRONMENT.broker_url:
        return False
    try:
        with _publish_seconds.time():
            publisher().publish(record_type.name, *write_message(rows))
    except BrokerUnavailable:
        return False
    _queued.inc(len(rows))
    return True


def _insert_rows(rows: Sequence[NumberedRow]) -> None:
    try:
        with _insert_seconds.time():
            store_rows(rows)
    except (DatabaseError, InterfaceError) as error:
        requests = sorted({row.request_id for row in rows})
        logger.warning(Event.ROWS_PEND, rows=len(rows), error=error, request_ids=requests)
        raise NotDelivered(str(error)) from error
    _inserted.inc(len(rows))
    finish_unqueued(rows)


class NotYet(Exception):
    """Nothing was done: Redis does not give this number just now, so it takes a while."""


class Committer:
    """The commit of this process."""

    def __init__(self) -> None:
        self._agent = NumberingAgent()
        self._earlier_keys = EarlierKeys()
        self._failing_since: dict[Shard, float] = {}
        #: Shards whose server this process has begun to verify, without a decision yet.
        self._verifies: set[Shard] = set()

    def commit(self, submissions: Sequence[Submission]) -> list[Sequence[NumberedRow] | Exception]:
        """For each submission the accepted rows, or the error."""
        return self._commit(submissions, self._number)

    def commit_at_once(
        self, submissions: Sequence[Submission]
    ) -> list[Sequence[NumberedRow] | Exception]:
        """Like `commit`, but rows that would hold up the others fail with NotYet."""
        return self._commit(submissions, self._number_at_once)

    def _commit(
        self, submissions: Sequence[Submission], number: Callable[[GroupOutcome], None]
    ) -> list[Sequence[NumberedRow] | Exception]:
        renew_connection()
        GROUP_ROWS.observe(sum(len(one.rows) for one in submissions))
        if not settings.ENVIRONMENT.redis_url:
            return number_and_store(submissions)
        group = GroupOutcome(submissions)
        try:
            number(group)
        except (DatabaseError, InterfaceError) as error:
            logger.warning(Event.NUMBERS_STOPPED, error=error)
            group.fail_waiting(DatabaseUnavailable())
        try:
            deliver(group.numbered())
        except NotDelivered:
            group.undelivered(Unavailable("The outcome is unknown: queue and database failed."))
        return group.outcomes()

    def _number_at_once(self, group: GroupOutcome) -> None:
        """Let Redis give each row a number, or an error. Raises errors of the database."""
        # Blocks that were too short are extended, so what waits for them asks again.
        for _ in range(_ATTEMPTS_AT_ONCE):
            if self._ask_redis(group) or not group.waiting():
                break
        group.fail_waiting(NotYet())

    def _number(self, group: GroupOutcome) -> None:
        """Give each row a number or an error. Raises errors of the database."""
        limit = time.monotonic() + REQUEST_NUMBER_SECONDS
        while True:
            errors = {**self._ask_redis(group), **self._ask_database(group)}
            if not group.waiting():
                return
            if time.monotonic() > limit:
                group.fail_waiting(Unavailable("No number was available in time."))
                return
            self._recover(errors)

    def _ask_redis(self, group: GroupOutcome) -> Mapping[Shard, NoNumbers]:
        """Number what Redis can number now; why there are no numbers for the other shards."""
        waiting = group.waiting_by_shard()
        authorities = self._agent.authorities_of(waiting, Source.REDIS)
        self._earlier_keys.settle(group, authorities)
        errors = number_from_redis(group, self._agent, authorities)
        for shard in {one.shard for one in authorities} - errors.keys():
            self._failing_since.pop(shard, None)
            self._verifies.discard(shard)
        for shard, error in errors.items():
            if isinstance(error, Unanswered):
                group.fail_waiting(OutcomeOpen(f"Redis did not answer: {error}"), waiting[shard])
                if self._is_failing_for_long(shard):
                    self._take_over(shard, error)
        return errors

    def _ask_database(self, group: GroupOutcome) -> Mapping[Shard, NoNumbers]:
        """Let the database number the rows of the shards that it numbers; as above."""
        authorities = self._agent.authorities_of(group.waiting_by_shard(), Source.DATABASE)
        self._earlier_keys.settle(group, authorities)
        waiting = group.waiting_by_shard()
        epochs = {one.shard: one.epoch for one in authorities if one.shard in waiting}
        positions = sorted(position for shard in epochs for position in waiting[shard])
        if not positions:
            return {}
        try:
            outcomes = number_and_store(
                [group.submissions[position] for position in positions],
                before=lambda: hold_authorities(epochs, Source.DATABASE),
                missing=_parent_missing,
            )
        except AuthorityChanged as error:
            return dict.fromkeys(epochs, error)
        for shard in epochs:
            self._failing_since.pop(shard, None)
        left: dict[Shard, NoNumbers] = {}
        for position, outcome in zip(positions, outcomes, strict=True):
            if isinstance(outcome, AuthorityChanged):
                # The group's transaction was in time; those that follow it one by one were not.
                left[group.submissions[position].shard] = outcome
            else:
                group.settle(position, outcome)
        return left

    def _recover(self, errors: Mapping[Shard, NoNumbers]) -> None:
        """Do what may help the shards that got no numbers, or wait for a moment."""
        doubts = {
            shard: error for shard, error in errors.items() if self._must_verify(shard, error)
        }
        outcomes: dict[Shard, NoNumbers] = {**errors, **self._verify(doubts)}
        for shard, error in outcomes.items():
            if isinstance(error, NumbersUnavailable) and self._is_failing_for_long(shard):
                self._take_over(shard, error)
                outcomes[shard] = AuthorityChanged()
        kinds = set(map(type, outcomes.values()))
        if kinds & {NumbersUnavailable, UnderExamination, Moving}:
            time.sleep(_RETRY_SECONDS)
        if kinds & {AuthorityChanged, UnderExamination}:
            self._agent.refresh()

    def _must_verify(self, shard: Shard, error: NoNumbers) -> bool:
        """Whether it is up to this process to find out if this is the Redis with the leases."""
        if isinstance(error, UnderExamination):
            # Another process finds out, unless it has died.
            is_over = self._agent.blocks[shard].suspended_seconds > REDIS_DECISION_SECONDS
            return is_over or shard in self._verifies
        return isinstance(error, Untrusted)

    def _verify(self, doubts: Mapping[Shard, NoNumbers]) -> Mapping[Shard, NoNumbers]:
        """Verify these shards' servers; for each that something changed, or the failure."""
        if not doubts:
            return {}
        texts = sorted(set(map(str, doubts.values())))
        logger.warning(Event.REDIS_EXAMINED, doubt="; ".join(texts), shards=len(doubts))
        self._verifies |= doubts.keys()
        wanted = {
            one.shard: (self._agent.blocks[one.shard], one.generation)
            for one in self._agent.authorities_of(doubts)
        }
        failures = verify_servers(self._agent.process, wanted)
        self._verifies -= wanted.keys() - failures.keys()
        return {**dict.fromkeys(wanted, AuthorityChanged()), **failures}

    def _is_failing_for_long(self, shard: Shard) -> bool:
        """Whether groups have failed to get numbers for longer than the grace period."""
        now = time.monotonic()
        since = self._failing_since.setdefault(shard, now)
        return now - since >= REDIS_GRACE_SECONDS

    def _take_over(self, shard: Shard, error: Exception) -> None:
        authority = self._agent.authority(shard)
        if authority.source == Source.REDIS:
            reason = f"Redis is unavailable: {error}"[:200]
            take_over_for_database(shard, authority.generation.epoch, reason)
        self._verifies.discard(shard)
        self._agent.refresh()


def _parent_missing(submission: Submission) -> Exception:
    if may_be_queued(submission.parent):
        return MaybeQueued()
    return submission.record_type.parent_missing()


#: With 64 clients nearly all requests of a process share a group; up to three never wait. At half
#: the peak the pace saves a tenth of the processor time of a create.
_LIMITS = GroupLimits(crowd=4, pace_seconds=0.005)

_committer = Committer()
_at_once: GroupCommit[Submission, Sequence[NumberedRow]] = GroupCommit(
    _committer.commit_at_once, _LIMITS
)
#: Rows whose shard is away wait in groups of their own, so that they hold up no other shard.
_patiently: GroupCommit[Submission, Sequence[NumberedRow]] = GroupCommit(_committer.commit, _LIMITS)


def accept(row: NewRow, request: IdempotentRequest | None = None) -> NumberedRow:
    """The accepted row with its number; a repeated request gets the row of the first one.

    Raises the record type's `parent_missing`, KeyReused, Unavailable.
    """
    [accepted] = accept_all([row], request)
    return accepted


def accept_all(
    rows: Sequence[NewRow], request: IdempotentRequest | None = None
) -> Sequence[NumberedRow]:
    """Rows of one parent with consecutive numbers, all accepted or none. Raises like `accept`."""
    submission = Submission(rows, request)
    until = time.monotonic() + REQUEST_UNDECIDED_SECONDS
    while True:
        try:
            return _submit(submission)
        except StillQueued:
            if time.monotonic() > until:
                raise MaybeQueued from None
        pause(_QUEUED_RETRY_SECONDS)


def _submit(submission: Submission) -> Sequence[NumberedRow]:
    """Raises StillQueued, and what `accept_all` raises."""
    size, weight = submission.size, len(submission.rows)
    try:
        try:
            return _at_once.submit(submission, size, weight)
        except NotYet:
            return _patiently.submit(submission, size, weight)
    except QueueIsFull as error:
        raise Unavailable(f"The service is too busy: {error}.") from error
    except OutcomeOpen as error:
        raise Unavailable(f"The outcome is unknown: {error}.") from error
