"""The numbering agent: a thread in each process that takes numbers from Redis.

It starts with the first request, so it never starts before a fork.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from multiprocessing.util import Finalize
from threading import Event as Flag
from threading import Lock, Thread
from uuid import uuid4

import redis
from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from infra.database import close_connection
from infra.logs import Event, get_logger
from infra.redis_client import (
    RedisUnavailable,
    Server,
    Shard,
    learn_servers,
    server_of,
    shard_of,
    shards,
    try_redis_write,
)
from ingest.metrics import LEASES
from ingest.models import Generation, NumberAuthority, NumberingProcess, Source
from ingest.numbering.authority import latest_epoch, lock_authority, read_authorities
from ingest.numbering.blocks import Blocks
from ingest.numbering.errors import NoNumbers
from ingest.numbering.fencing import begin_epoch_in_redis, report, sign_off
from ingest.numbering.leases import extend_blocks
from ingest.records import Key

logger = get_logger(__name__)

TICK_SECONDS = 0.5
#: Redis gives numbers again when every process has reached it for this long.
REACHED_FOR = timedelta(seconds=3)
#: A process that has not reported for this long does not count as alive.
ALIVE_WITHIN = timedelta(seconds=5)
#: A process that has not reported for this long was killed, unless it is frozen.
DEAD_AFTER = timedelta(seconds=60)
WAITING_RENEWALS = 1000
RENEW_SECONDS = 0.25

_not_renewed = LEASES.labels("not_renewed")


class NumberingAgent:
    """What the requests of this process know about numbering, and the thread that refreshes it."""

    def __init__(self) -> None:
        self.process = uuid4()
        self.blocks = {shard: Blocks(shard) for shard in shards()}
        self._authorities: Mapping[Shard, NumberAuthority] = {}
        self._starting = Lock()
        self._wake = Flag()
        self._ends = False
        self._running_low: dict[Key, Generation] = {}
        self._thread: Thread | None = None
        self._at_exit: Finalize | None = None
        self._reaches_since: dict[Shard, datetime] = {}
        self._fence = 0
        self._raised_at: datetime | None = None

    def authority(self, shard: Shard) -> NumberAuthority:
        """The authority of this shard as last read."""
        [authority] = self.authorities_of([shard])
        return authority

    def authorities_of(
        self, of: Iterable[Shard], source: Source | None = None
    ) -> Sequence[NumberAuthority]:
        """The authorities of these shards as last read, in their order; only those of this source.

        Reads the database only the first time.
        """
        if self._thread is None or not self._thread.is_alive():
            with self._starting:
                if self._thread is None or not self._thread.is_alive():
                    self._start()
        known = [self._authorities[shard] for shard in sorted(of)]
        return [one for one in known if source in (None, one.source)]

    def refresh(self) -> None:
        """Read the authorities again. Raises OperationalError without a database."""
        self._learn(read_authorities())

    def renew_soon(self, parent: Key, generation: Generation) -> None:
        """Extend this parent's block soon."""
        if len(self._running_low) < WAITING_RENEWALS:
            self._running_low[parent] = generation
            self._wake.set()

    def _start(self) -> None:
        authorities = read_authorities()
        # From here on verification waits for this process.
        self._report(authorities)
        self._learn(authorities)
        self._ends = False
        thread = Thread(target=self._run, name="numbering", daemon=True)
        thread.start()
        self._thread = thread
        # Runs at the end of any process, also of one that multiprocessing started.
        self._at_exit = Finalize(self, self.end, exitpriority=100)

    def _report(self, authorities: Mapping[Shard, NumberAuthority]) -> None:
        report(
            self.process,
            {
                shard: replace(
                    self.blocks[shard].report_for(one.examination),
                    reaches_since=self._reaches_since.get(shard),
                )
                for shard, one in authorities.items()
            },
        )

    def _learn(self, authorities: Mapping[Shard, NumberAuthority]) -> None:
        for shard, authority in authorities.items():
            latest_epoch.learn(authority.epoch)
            self.blocks[shard].learn(authority)
        self._authorities = authorities

    def _run(self) -> None:
        failing = False
        while not self._ends:
            self._wake.wait(TICK_SECONDS)
            self._wake.clear()
            try:
                self._tick()
                failing = False
            except (DatabaseError, InterfaceError) as error:
                close_connection()
                if not failing:
                    logger.warning(Event.KEEPER_FAILED, error=error)
                failing = True
            except Exception:
                logger.exception(Event.KEEPER_FAILED)
        close_connection()

    def _tick(self) -> None:
        authorities = read_authorities()
        self._learn(authorities)
        of_database = [shard for shard, one in authorities.items() if one.source == Source.DATABASE]
        self._probe(of_database)
        self._report(authorities)
        for shard in of_database:
            self._return_to_redis(authorities[shard])
        self._renew_some()
        self._forget_the_dead()

    def _probe(self, of: Iterable[Shard]) -> None:
        """Check since when Redis takes writes for these shards."""
        before, self._reaches_since = self._reaches_since, {}
        away: set[Server] = set()
        for shard in of:
            with suppress(RedisUnavailable):
                server = server_of(shard)
                if server in away:
                    continue
                try:
                    try_redis_write(server.client, shard)
                except redis.RedisError as error:
                    learn_servers(error)
                    away.add(server)
                else:
                    self._reaches_since[shard] = before.get(shard, timezone.now())

    def _return_to_redis(self, read: NumberAuthority) -> None:
        now, shard = timezone.now(), read.shard
        for living in NumberingProcess.objects.filter(seen_at__gt=now - ALIVE_WITHIN):
            since = living.report_of(shard).reaches_since
            if since is None or since > now - REACHED_FOR:
                return
        try:
            with transaction.atomic(durable=True):
                authority = lock_authority(shard)
                if (authority.source, authority.epoch) != (Source.DATABASE, read.epoch):
                    return
                begin_epoch_in_redis(authority, "Redis is back")
        except (redis.RedisError, RedisUnavailable) as error:
            logger.warning(Event.NUMBERS_STAY, error=error)
            return
        self.refresh()

    def _renew_some(self) -> None:
        """Extend blocks for a part of the tick; the authorities must be read again soon."""
        until = time.monotonic() + RENEW_SECONDS
        while self._running_low and time.monotonic() < until:
            parent, generation = self._running_low.popitem()
            try:
                extend_blocks(self.blocks[shard_of(str(parent[0]))], generation, {parent: 1})
            except NoNumbers as error:
                _not_renewed.inc()
                # The next request of this parent asks again.
                logger.info(Event.LEASES_WAIT, parents=len(self._running_low), error=error)
                if len(self.blocks) == 1:
                    self._running_low.clear()
        if self._running_low:
            self._wake.set()

    def _forget_the_dead(self) -> None:
        """Forget killed processes: this process has seen higher fences than they had."""
        fence = sum(each.fence for each in self.blocks.values())
        if fence > self._fence:
            self._fence, self._raised_at = fence, timezone.now()
        if self._raised_at:
            dead = NumberingProcess.objects.filter(seen_at__lt=self._raised_at - DEAD_AFTER)
            dead.exclude(pk=self.process).delete()

    def end(self) -> None:
        """Stop the thread and sign off with the fences that this process has seen."""
        if not self.stop():
            return
        try:
            sign_off(self.process, self.blocks.values())
        except (DatabaseError, InterfaceError) as error:
            logger.warning(Event.KEEPER_FAILED, error=error)
        finally:
            close_connection()

    def stop(self) -> bool:
        """Stop the thread; false if there is none."""
        thread, self._thread = self._thread, None
        if thread is None:
            return False
        if self._at_exit:
            self._at_exit.cancel()
        self._ends = True
        self._wake.set()
        thread.join(2)
        return True
