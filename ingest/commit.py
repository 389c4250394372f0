"""Delivery of numbered rows: one task message for each queue, or straight into the database.

A message whose confirm did not come may have arrived: the row is then stored twice by the same
insert, which drops the second. A row that cannot be delivered now stays pending, and the sweeper
delivers it.

The commit of a group: a number for each row, then delivery.

There are two ways to a number (Redis' block, or the database) and two of delivery (the queue, or
the database), chosen anew for each group by what is there. Only what was surely not numbered
may try another way; where nobody knows, its request is told so.

The one way in for new rows: this process's group commit.

Each group is numbered by Redis, with its rows pending there, and then delivered: to the queue, or
into the database where the queue is away. While Redis is away the database does both in one
transaction. Whatever happens, a row that has its number is delivered by somebody.
"""

import time
from collections import defaultdict
from collections.abc import Sequence

from django.db import DatabaseError, InterfaceError

from infra.database import renew_connection
from infra.errors import Unavailable
from infra.logs import Event, get_logger
from infra.metrics import ACCEPT_SECONDS, ACCEPTED, GROUP_ROWS
from infra.rabbitmq.connection import BrokerUnavailable, broker_is_configured
from infra.rabbitmq.publisher import publisher
from infra.redis_client import redis_is_configured
from infra.timeouts import REDIS_GRACE_SECONDS, REQUEST_NUMBER_SECONDS
from ingest.database_numbers import number_and_store
from ingest.group_commit import GroupCommit, GroupLimits, OutcomeOpen, QueueIsFull
from ingest.idempotency.keys import IdempotentRequest
from ingest.idempotent_insert import store_rows
from ingest.message_format import write_message
from ingest.numbering.agent import NumberingAgent
from ingest.numbering.authority import AuthorityChanged, hold_authority, take_over_for_database
from ingest.numbering.blocks import NumbersUnavailable, Unanswered, Untrusted
from ingest.numbering.fencing import verify_server
from ingest.numbering.models import Source
from ingest.post_commit import finish_unqueued
from ingest.read_your_writes import MaybeQueued, may_be_queued
from ingest.records import NewRow, NumberedRow, RecordType
from ingest.redis_numbers import DatabaseUnavailable, StoredKeys, number_from_redis
from ingest.submission import GroupOutcome, Submission

logger = get_logger(__name__)

_publish_seconds, _insert_seconds = map(ACCEPT_SECONDS.labels, ("publish", "insert"))
_queued, _inserted = map(ACCEPTED.labels, ("queue", "insert"))


class NotDelivered(Exception):
    """Neither the queue nor the database takes the rows now."""


def deliver(rows: Sequence[NumberedRow]) -> None:
    """Return when the rows are in their queue or in the database. Raises NotDelivered."""
    by_kind: defaultdict[RecordType, list[NumberedRow]] = defaultdict(list)
    for row in rows:
        by_kind[row.kind].append(row)
    for kind, of_kind in by_kind.items():
        if not _publish_rows(kind, of_kind):
            _insert_rows(of_kind)


def _publish_rows(kind: RecordType, rows: Sequence[NumberedRow]) -> bool:
    if not broker_is_configured():
        return False
    try:
        with _publish_seconds.time():
            publisher().publish(kind.name, *write_message(rows))
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
    """This process's commit of groups; called for one group at a time."""

    def __init__(self) -> None:
        self._keeper = NumberingAgent()
        self._table_keys = StoredKeys()
        self._failing_since: float | None = None

    def commit(self, submissions: Sequence[Submission]) -> list[Sequence[NumberedRow] | Exception]:
        """For each submission what was accepted, or why it was not."""
        renew_connection()
        GROUP_ROWS.observe(sum(len(one.rows) for one in submissions))
        if not redis_is_configured():
            return number_and_store(submissions)
        gathering = GroupOutcome(submissions)
        try:
            self._number(gathering)
        except (DatabaseError, InterfaceError) as error:
            logger.warning(Event.NUMBERS_STOPPED, error=error)
            gathering.fail_waiting(DatabaseUnavailable())
        try:
            deliver(gathering.numbered())
        except NotDelivered:
            gathering.undelivered(Unavailable("The outcome is open: queue and database are away."))
        return gathering.outcomes()

    def _number(self, gathering: GroupOutcome) -> None:
        """Give every row a number or an error. Raises errors of the database."""
        limit = time.monotonic() + REQUEST_NUMBER_SECONDS
        while gathering.waiting():
            if time.monotonic() > limit:
                gathering.fail_waiting(Unavailable("No number could be had in time."))
                return
            try:
                self._attempt(gathering)
            except AuthorityChanged:
                self._keeper.look_again()
            except Untrusted as doubt:
                self._examine(doubt)
            except NumbersUnavailable as away:
                self._wait_or_take_over(away)
            except Unanswered as error:
                gathering.fail_waiting(OutcomeOpen(f"Redis did not answer: {error}"))
                if self._is_failing_for_long():
                    self._take_over(error)

    def _attempt(self, gathering: GroupOutcome) -> None:
        authority = self._keeper.authority()
        if authority.source is Source.REDIS:
            self._table_keys.settle(gathering, authority)
            number_from_redis(gathering, self._keeper, authority.term)
            self._failing_since = None
            return
        positions = gathering.waiting()
        outcomes = number_and_store(
            [gathering.submissions[position] for position in positions],
            before=lambda: hold_authority(Source.DATABASE),
            missing=_parent_missing,
        )
        for position, outcome in zip(positions, outcomes, strict=True):
            if isinstance(outcome, Exception):
                gathering.fail(position, outcome)
            else:
                gathering.store(position, outcome)
        self._failing_since = None

    def _examine(self, doubt: Untrusted) -> None:
        """See whether Redis is still the one that the numbers were lent to."""
        logger.warning(Event.REDIS_EXAMINED, doubt=doubt)
        try:
            verify_server(self._keeper.blocks, self._keeper.process, self._keeper.authority().term)
        except NumbersUnavailable as away:
            self._wait_or_take_over(away)
        self._keeper.look_again()

    def _wait_or_take_over(self, away: NumbersUnavailable) -> None:
        if self._is_failing_for_long():
            self._take_over(away)
        else:
            time.sleep(0.05)

    def _is_failing_for_long(self) -> bool:
        """Whether no group has got its numbers for longer than the grace."""
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        return now - self._failing_since >= REDIS_GRACE_SECONDS

    def _take_over(self, reason: Exception) -> None:
        authority = self._keeper.authority()
        if authority.source is Source.REDIS:
            take_over_for_database(authority.term.epoch, f"Redis is away: {reason}"[:200])
        self._keeper.look_again()


def _parent_missing(submission: Submission) -> Exception:
    if may_be_queued(submission.parent):
        return MaybeQueued()
    return submission.kind.parent_missing()


#: Of 64 clients nearly all of a process's are in one group; few clients never wait.
_LIMITS = GroupLimits(crowd=6, linger_seconds=0.001)

_group_commit: GroupCommit[Submission, Sequence[NumberedRow]] = GroupCommit(
    Committer().commit, _LIMITS
)


def accept(row: NewRow, request: IdempotentRequest | None = None) -> NumberedRow:
    """The row with its number, accepted; that of the first request where this one is a repeat.

    Raises what its parent's absence raises, KeyReused, Unavailable.
    """
    [accepted] = accept_all([row], request)
    return accepted


def accept_all(
    rows: Sequence[NewRow], request: IdempotentRequest | None = None
) -> Sequence[NumberedRow]:
    """Rows of one parent with consecutive numbers, all accepted or none. Raises as above."""
    submission = Submission(rows, request)
    try:
        return _group_commit.submit(submission, submission.size, weight=len(rows))
    except QueueIsFull as error:
        raise Unavailable(f"The service is too busy: {error}.") from error
    except OutcomeOpen as error:
        raise Unavailable(f"The outcome is open: {error}.") from error
