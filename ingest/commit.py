"""The one way in for new rows: a number for each row of a group, then delivery.

docs/architecture.md ("Group commit") has the ways. Only a row that surely has no number may take
another way; if that is unknown, its request is answered so. A row that cannot be delivered now
stays pending until the sweeper delivers it.
"""

import time
from collections.abc import Sequence

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from infra.database import renew_connection
from infra.errors import Unavailable
from infra.logs import Event, get_logger
from infra.rabbitmq.connection import BrokerUnavailable
from infra.rabbitmq.publisher import publisher
from infra.timeouts import (
    REDIS_DECISION_SECONDS,
    REDIS_GRACE_SECONDS,
    REQUEST_NUMBER_SECONDS,
)
from ingest.database_numbers import number_and_store
from ingest.group_commit import GroupCommit, GroupLimits, OutcomeOpen, QueueIsFull
from ingest.idempotency import IdempotentRequest
from ingest.idempotent_insert import store_rows
from ingest.message_format import write_message
from ingest.metrics import ACCEPT_SECONDS, ACCEPTED, GROUP_ROWS
from ingest.models import Source
from ingest.numbering.agent import NumberingAgent
from ingest.numbering.authority import AuthorityChanged, hold_authority, take_over_for_database
from ingest.numbering.blocks import NumbersUnavailable, Unanswered, UnderExamination, Untrusted
from ingest.numbering.fencing import verify_server
from ingest.post_commit import finish_unqueued
from ingest.read_your_writes import MaybeQueued, may_be_queued
from ingest.records import NewRow, NumberedRow, RecordType, by_record_type
from ingest.redis_numbers import DatabaseUnavailable, StoredKeys, number_from_redis
from ingest.submission import GroupOutcome, Submission

logger = get_logger(__name__)

#: The pause before a group asks a failing Redis again.
_RETRY_SECONDS = 0.05
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


class Committer:
    """The commit of this process; it handles one group at a time."""

    def __init__(self) -> None:
        self._agent = NumberingAgent()
        self._stored_keys = StoredKeys()
        self._failing_since: float | None = None
        #: Whether this process has begun to verify the server, without a decision yet.
        self._verifies = False

    def commit(self, submissions: Sequence[Submission]) -> list[Sequence[NumberedRow] | Exception]:
        """For each submission the accepted rows, or the error."""
        renew_connection()
        GROUP_ROWS.observe(sum(len(one.rows) for one in submissions))
        if not settings.ENVIRONMENT.redis_url:
            return number_and_store(submissions)
        group = GroupOutcome(submissions)
        try:
            self._number(group)
        except (DatabaseError, InterfaceError) as error:
            logger.warning(Event.NUMBERS_STOPPED, error=error)
            group.fail_waiting(DatabaseUnavailable())
        try:
            deliver(group.numbered())
        except NotDelivered:
            group.undelivered(Unavailable("The outcome is unknown: queue and database failed."))
        return group.outcomes()

    def _number(self, group: GroupOutcome) -> None:
        """Give each row a number or an error. Raises errors of the database."""
        limit = time.monotonic() + REQUEST_NUMBER_SECONDS
        while group.waiting():
            if time.monotonic() > limit:
                group.fail_waiting(Unavailable("No number was available in time."))
                return
            try:
                self._attempt(group)
            except AuthorityChanged:
                self._agent.refresh()
            except Untrusted as doubt:
                self._verify(doubt)
            except UnderExamination as doubt:
                self._await_decision(doubt)
            except NumbersUnavailable as away:
                self._wait_or_take_over(away)
            except Unanswered as error:
                group.fail_waiting(OutcomeOpen(f"Redis did not answer: {error}"))
                if self._is_failing_for_long():
                    self._take_over(error)

    def _attempt(self, group: GroupOutcome) -> None:
        authority = self._agent.authority()
        if authority.source == Source.REDIS:
            self._stored_keys.settle(group, authority)
            number_from_redis(group, self._agent, authority.generation)
            self._failing_since, self._verifies = None, False
            return
        positions = group.waiting()
        outcomes = number_and_store(
            [group.submissions[position] for position in positions],
            before=lambda: hold_authority(Source.DATABASE),
            missing=_parent_missing,
        )
        self._failing_since = None
        for position, outcome in zip(positions, outcomes, strict=True):
            if not isinstance(outcome, AuthorityChanged):
                group.settle(position, outcome)
        if group.waiting():
            # The group's transaction was in time; those that follow it one by one were not.
            raise AuthorityChanged

    def _await_decision(self, doubt: UnderExamination) -> None:
        """Wait a moment for the process that examines Redis; if it has died, examine it here."""
        is_over = self._agent.blocks.suspended_seconds > REDIS_DECISION_SECONDS
        if is_over or self._verifies:
            self._verify(doubt)
        else:
            time.sleep(_RETRY_SECONDS)
            self._agent.refresh()

    def _verify(self, doubt: Exception) -> None:
        """Verify that this is still the Redis that holds the leases."""
        logger.warning(Event.REDIS_EXAMINED, doubt=doubt)
        self._verifies = True
        try:
            verify_server(
                self._agent.blocks, self._agent.process, self._agent.authority().generation
            )
            self._verifies = False
        except NumbersUnavailable as away:
            self._wait_or_take_over(away)
        self._agent.refresh()

    def _wait_or_take_over(self, away: NumbersUnavailable) -> None:
        if self._is_failing_for_long():
            self._take_over(away)
        else:
            time.sleep(_RETRY_SECONDS)

    def _is_failing_for_long(self) -> bool:
        """Whether groups have failed to get numbers for longer than the grace period."""
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        return now - self._failing_since >= REDIS_GRACE_SECONDS

    def _take_over(self, error: Exception) -> None:
        authority = self._agent.authority()
        if authority.source == Source.REDIS:
            reason = f"Redis is unavailable: {error}"[:200]
            take_over_for_database(authority.generation.epoch, reason)
        self._agent.refresh()


def _parent_missing(submission: Submission) -> Exception:
    if may_be_queued(submission.parent):
        return MaybeQueued()
    return submission.record_type.parent_missing()


#: With 64 clients nearly all requests of a process share a group; up to three never wait. At half
#: the peak the pace saves a tenth of the processor time of a create.
_LIMITS = GroupLimits(crowd=4, pace_seconds=0.005)

_group_commit: GroupCommit[Submission, Sequence[NumberedRow]] = GroupCommit(
    Committer().commit, _LIMITS
)


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
    try:
        return _group_commit.submit(submission, submission.size, weight=len(rows))
    except QueueIsFull as error:
        raise Unavailable(f"The service is too busy: {error}.") from error
    except OutcomeOpen as error:
        raise Unavailable(f"The outcome is unknown: {error}.") from error
