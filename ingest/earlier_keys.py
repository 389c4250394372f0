"""Idempotency keys from before this epoch, which Redis may have forgotten.

The table knows the keys of stored rows. A row that is still queued is known nowhere, so a request
with an unknown key waits until the queues have surely delivered all rows from before. Then it
claims its key in the table, and only then gets a number: a row may come later than it surely
should, from a broker that was cut off. No client was told of such a row. It meets the claim, and
the worker drops it (ingest.idempotency.records).
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from operator import methodcaller
from threading import Thread

from django.db import DatabaseError, InterfaceError

from infra.database import again_if_broken, database_breaker, note_outage
from infra.logs import Event, get_logger
from infra.rabbitmq.connection import BrokerUnavailable, messages_waiting
from infra.rabbitmq.queues import FAILED
from infra.redis_client import RedisUnavailable, Shard, ask_redis
from infra.timeouts import BROKER_CONFIRM_SECONDS, WORKER_HOLDS_SECONDS
from ingest import redis_keys
from ingest.idempotency import Record, records
from ingest.models import NumberAuthority, Source
from ingest.records import record_types
from ingest.redis_numbers import DatabaseUnavailable
from ingest.submission import GroupOutcome, Submission, keyed_requests

logger = get_logger(__name__)


class StillQueued(Exception):
    """Nothing was done: a row of this request may be queued, so it takes a while."""


@dataclass
class _Epoch:
    """An epoch, since when this process knows it, and when it has seen the queues empty in it.

    Times are of time.monotonic.
    """

    number: int
    since: float
    empty_at: float = float("inf")


class _QueuedRows:
    """Whether rows from before an epoch may still be on their way into the table.

    They were published within BROKER_CONFIRM_SECONDS, and a worker stores what it has taken within
    WORKER_HOLDS_SECONDS. So in between the queues must have been seen empty.
    """

    def __init__(self) -> None:
        self._epochs: dict[Shard, _Epoch] = {}
        self._empty_at = float("-inf")
        self._looks: Thread | None = None

    def may_come(self, authority: NumberAuthority) -> bool:
        """Whether rows from before this epoch may come; asks the broker in another thread."""
        if authority.is_drained:
            return False
        now = time.monotonic()
        epoch = self._epochs.get(authority.shard)
        if epoch is None or epoch.number != authority.epoch:
            epoch = self._epochs[authority.shard] = _Epoch(authority.epoch, now)
        published_by = epoch.since + BROKER_CONFIRM_SECONDS
        if self._empty_at >= published_by:
            epoch.empty_at = min(epoch.empty_at, self._empty_at)
        elif now >= published_by and not (self._looks and self._looks.is_alive()):
            self._looks = Thread(target=self._look, name="queued-rows", daemon=True)
            self._looks.start()
        return now < epoch.empty_at + WORKER_HOLDS_SECONDS

    def _look(self) -> None:
        began = time.monotonic()
        try:
            if not messages_waiting(*record_types(), FAILED):
                self._empty_at = began
        except BrokerUnavailable as error:
            logger.debug(Event.SERVICE_STILL_AWAY, service="rabbitmq", error=error)


class EarlierKeys:
    """What this process knows of keys from before the present epochs.

    Once nothing from before is queued and all those keys have expired, the table is not read again.
    """

    def __init__(self) -> None:
        self._queued = _QueuedRows()
        self._nothing_before_epoch: dict[Shard, int] = {}

    def settle(self, group: GroupOutcome, of: Sequence[NumberAuthority]) -> None:
        """Answer the repeats that the table knows; fail keyed requests that cannot be decided.

        It concerns the shards of these authorities. The other requests may get numbers now. Those
        that must wait fail with StillQueued.
        """
        unsure = {
            one.shard: one for one in of if self._nothing_before_epoch.get(one.shard) != one.epoch
        }
        keyed = [
            position
            for position in group.waiting()
            if group.submissions[position].request and group.submissions[position].shard in unsure
        ]
        if not keyed:
            return
        # Before the table is read: what is stored in between is found then.
        early = {shard for shard, one in unsure.items() if self._queued.may_come(one)}
        # Where the database gives the numbers, that transaction reads the table too.
        asking = [
            position
            for position in keyed
            if (shard := group.submissions[position].shard) in early
            or unsure[shard].source == Source.REDIS
        ]
        try:
            known = self._find([group.submissions[at] for at in asking], unsure, early)
        except DatabaseUnavailable as away:
            for position in asking:
                group.settle(position, away)
            return
        for position in asking:
            submission = group.submissions[position]
            record = submission.request and known.get(submission.request.key.name)
            if record:
                group.settle(position, submission.repeated(record))
            elif submission.shard in early:
                group.settle(position, StillQueued())

    def _find(
        self,
        submissions: Sequence[Submission],
        of: Mapping[Shard, NumberAuthority],
        early: Iterable[Shard],
    ) -> Mapping[str, Record]:
        """Raises DatabaseUnavailable, at once if that is known."""
        if database_breaker().is_open:
            raise DatabaseUnavailable
        try:
            return again_if_broken(partial(self._look_up, submissions, of, early))
        except (DatabaseError, InterfaceError) as error:
            note_outage(error)
            raise DatabaseUnavailable from error

    def _look_up(
        self,
        submissions: Sequence[Submission],
        of: Mapping[Shard, NumberAuthority],
        early: Iterable[Shard],
    ) -> Mapping[str, Record]:
        drained = all(one.is_drained for one in of.values())
        if drained and not records.any_key_from_before(max(one.since for one in of.values())):
            self._nothing_before_epoch |= {shard: one.epoch for shard, one in of.items()}
            return {}
        doubtful: list[Submission] = []
        others: list[Submission] = []
        for one in submissions:
            is_sure = one.shard in early or of[one.shard].is_drained
            (others if is_sure else doubtful).append(one)
        claiming = _unknown_to_redis(doubtful)
        times = [one.rows[0].accepted_at for one in claiming]
        return {
            **records.find_records(keyed_requests(others)),
            **records.claim_or_find(zip(keyed_requests(claiming), times, strict=True)),
        }


def _unknown_to_redis(submissions: Iterable[Submission]) -> list[Submission]:
    """Those whose keys Redis does not know, so that they are no repeats of its pending rows.

    If it cannot be asked there are none: it gives no numbers either.
    """
    by_shard: defaultdict[Shard, list[Submission]] = defaultdict(list)
    for one in submissions:
        by_shard[one.shard].append(one)
    unknown: list[Submission] = []
    for shard, some in by_shard.items():
        names = [redis_keys.request(token, key.name) for token, key in keyed_requests(some)]
        with suppress(RedisUnavailable):
            known = ask_redis(shard, methodcaller("mget", names))
            unknown += [one for one, record in zip(some, known, strict=True) if record is None]
    return unknown
