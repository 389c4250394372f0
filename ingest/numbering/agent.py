"""The numbering agent: a thread in each process that takes numbers from Redis.

It starts with the first request, so it never starts before a fork.
"""

import time
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
from infra.redis_client import redis_client, try_redis_write
from ingest.metrics import LEASES
from ingest.models import Generation, NumberAuthority, NumberingProcess, Source
from ingest.numbering.authority import (
    AuthorityChanged,
    latest_epoch,
    lock_authority,
    read_authority,
)
from ingest.numbering.blocks import (
    Blocks,
    NumbersUnavailable,
    Unanswered,
    UnderExamination,
    Untrusted,
)
from ingest.numbering.fencing import begin_epoch_in_redis, report, sign_off
from ingest.numbering.leases import extend_block
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

#: Why Redis cannot give numbers now; nothing was done, or it does no harm.
NOT_NOW = (NumbersUnavailable, Unanswered, Untrusted, UnderExamination, AuthorityChanged)

_not_renewed = LEASES.labels("not_renewed")


class NumberingAgent:
    """What the requests of this process know about numbering, and the thread that refreshes it."""

    def __init__(self) -> None:
        self.process = uuid4()
        self.blocks = Blocks()
        self._authority: NumberAuthority | None = None
        self._starting = Lock()
        self._wake = Flag()
        self._ends = False
        self._running_low: dict[Key, Generation] = {}
        self._thread: Thread | None = None
        self._at_exit: Finalize | None = None
        self._reaches_since: datetime | None = None
        self._fence = 0
        self._raised_at: datetime | None = None

    def authority(self) -> NumberAuthority:
        """The source of numbers as last read; reads the database only the first time."""
        if self._thread is None or not self._thread.is_alive():
            with self._starting:
                if self._thread is None or not self._thread.is_alive():
                    self._start()
        assert self._authority is not None  # noqa: S101 - it was just read
        return self._authority

    def refresh(self) -> None:
        """Read the authority again. Raises OperationalError without a database."""
        self._learn(read_authority())

    def renew_soon(self, parent: Key, generation: Generation) -> None:
        """Extend this parent's block soon."""
        if len(self._running_low) < WAITING_RENEWALS:
            self._running_low[parent] = generation
            self._wake.set()

    def _start(self) -> None:
        authority = read_authority()
        # From here on verification waits for this process.
        report(self.process, self.blocks, authority.examination)
        self._learn(authority)
        self._ends = False
        thread = Thread(target=self._run, name="numbering", daemon=True)
        thread.start()
        self._thread = thread
        # Runs at the end of any process, also of one that multiprocessing started.
        self._at_exit = Finalize(self, self.end, exitpriority=100)

    def _learn(self, authority: NumberAuthority) -> None:
        latest_epoch.learn(authority.epoch)
        self.blocks.learn(authority)
        self._authority = authority

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
        authority = read_authority()
        self._learn(authority)
        if authority.source == Source.DATABASE:
            self._probe()
        report(self.process, self.blocks, authority.examination)
        if authority.source == Source.DATABASE:
            self._return_to_redis(authority.epoch)
        else:
            self._reaches_since = None
            self._renew_some()
        self._forget_the_dead()

    def _probe(self) -> None:
        """Check whether Redis takes writes."""
        try:
            try_redis_write(redis_client())
        except redis.RedisError:
            self._reaches_since = None
        else:
            self._reaches_since = self._reaches_since or timezone.now()
        mine = NumberingProcess.objects.filter(pk=self.process)
        mine.update(reaches_redis_since=self._reaches_since)

    def _return_to_redis(self, epoch: int) -> None:
        now = timezone.now()
        living = NumberingProcess.objects.filter(seen_at__gt=now - ALIVE_WITHIN)
        if living.exclude(reaches_redis_since__lt=now - REACHED_FOR).exists():
            return
        try:
            with transaction.atomic(durable=True):
                authority = lock_authority()
                if (authority.source, authority.epoch) != (Source.DATABASE, epoch):
                    return
                begin_epoch_in_redis(authority, "Redis is back")
        except redis.RedisError as error:
            logger.warning(Event.NUMBERS_STAY, error=error)
            return
        self._reaches_since = None
        self.refresh()

    def _renew_some(self) -> None:
        """Extend blocks for a part of the tick; the authority must be read again soon."""
        until = time.monotonic() + RENEW_SECONDS
        while self._running_low and time.monotonic() < until:
            parent, generation = self._running_low.popitem()
            try:
                extend_block(self.blocks, generation, parent)
            except NOT_NOW as error:
                _not_renewed.inc(1 + len(self._running_low))
                # The next request of each of these parents asks again.
                logger.info(Event.LEASES_WAIT, parents=len(self._running_low), error=error)
                self._running_low.clear()
        if self._running_low:
            self._wake.set()

    def _forget_the_dead(self) -> None:
        """Forget killed processes: this process has seen a higher fence than they had."""
        if self.blocks.fence > self._fence:
            self._fence, self._raised_at = self.blocks.fence, timezone.now()
        if self._raised_at:
            dead = NumberingProcess.objects.filter(seen_at__lt=self._raised_at - DEAD_AFTER)
            dead.exclude(pk=self.process).delete()

    def end(self) -> None:
        """Stop the thread and sign off with the fence that this process has seen."""
        if not self.stop():
            return
        try:
            sign_off(self.process, self.blocks)
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
