"""The commit of a group: a number for each row, then delivery.

There are two ways to a number (Redis' block, or the database) and two of delivery (the queue, or
the database), chosen anew for each group by what is there. Only what was surely not numbered
may try another way; where nobody knows, its request is told so.
"""

import time
from collections.abc import Sequence

from django.db import DatabaseError, InterfaceError

from core.accept.database import store
from core.accept.delivery import NotDelivered, deliver
from core.accept.from_redis import number_from_redis
from core.accept.gathering import Gathering
from core.accept.group import OutcomeOpen
from core.accept.lending import DatabaseAway
from core.accept.repeats import TableKeys
from core.accept.submission import Submission
from core.accept.waiting import Waits, may_be_queued
from core.database import renew_connection
from core.errors import Unavailable
from core.logs import Event, get_logger
from core.metrics import GROUP_ROWS
from core.numbering.authority import AuthorityChanged, hold_authority, take_over_for_database
from core.numbering.blocks import RedisAway, Unanswered, Untrusted
from core.numbering.examination import examine
from core.numbering.keeper import Keeper
from core.numbering.models import Source
from core.redis.client import is_configured
from core.rows import NumberedRow
from core.timeouts import REDIS_GRACE_SECONDS, REQUEST_NUMBER_SECONDS

logger = get_logger(__name__)


class Pipeline:
    """This process's commit of groups; called for one group at a time."""

    def __init__(self) -> None:
        self._keeper = Keeper()
        self._table_keys = TableKeys()
        self._failing_since: float | None = None

    def commit(self, submissions: Sequence[Submission]) -> list[Sequence[NumberedRow] | Exception]:
        """For each submission what was accepted, or why it was not."""
        renew_connection()
        GROUP_ROWS.observe(sum(len(one.rows) for one in submissions))
        if not is_configured():
            return store(submissions)
        gathering = Gathering(submissions)
        try:
            self._number(gathering)
        except (DatabaseError, InterfaceError) as error:
            logger.warning(Event.NUMBERS_STOPPED, error=error)
            gathering.fail_waiting(DatabaseAway())
        try:
            deliver(gathering.numbered())
        except NotDelivered:
            gathering.undelivered(Unavailable("The outcome is open: queue and database are away."))
        return gathering.outcomes()

    def _number(self, gathering: Gathering) -> None:
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
            except RedisAway as away:
                self._wait_or_take_over(away)
            except Unanswered as error:
                gathering.fail_waiting(OutcomeOpen(f"Redis did not answer: {error}"))
                if self._is_failing_for_long():
                    self._take_over(error)

    def _attempt(self, gathering: Gathering) -> None:
        authority = self._keeper.authority()
        if authority.source is Source.REDIS:
            self._table_keys.settle(gathering, authority)
            number_from_redis(gathering, self._keeper, authority.term)
            self._failing_since = None
            return
        positions = gathering.waiting()
        outcomes = store(
            [gathering.submissions[position] for position in positions],
            before=lambda: hold_authority(Source.DATABASE),
            missing=_missing,
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
            examine(self._keeper.blocks, self._keeper.process, self._keeper.authority().term)
        except RedisAway as away:
            self._wait_or_take_over(away)
        self._keeper.look_again()

    def _wait_or_take_over(self, away: RedisAway) -> None:
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


def _missing(submission: Submission) -> Exception:
    if may_be_queued(submission.parent):
        return Waits()
    return submission.kind.parent_missing()
