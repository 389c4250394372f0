"""What a process that takes numbers from Redis does beside its requests, each half second.

It looks who gives numbers now, says that it lives and which fence it has seen, extends blocks that
run low before they are used up, and gives numbering back to Redis once all processes reach it.
The thread starts with the first request, so that it is on the right side of every fork.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.util import Finalize
from threading import Event, Lock, Thread
from uuid import uuid4

import redis
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from core.accept.rows import Key
from core.numbering.authority import AuthorityChanged, lock_authority, read_authority
from core.numbering.blocks import Blocks, RedisAway, Unanswered, Untrusted
from core.numbering.examination import report, sign_off, start_epoch_in_redis
from core.numbering.models import NumberAuthority, NumberingProcess, Source
from core.numbering.provision import provide_numbers
from core.redis.client import client

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.5
#: Redis gives numbers again when every process has reached it for so long.
STEADY = timedelta(seconds=3)
#: A process that has not said so for this long does not count as living.
FRESH = timedelta(seconds=5)
WAITING_RENEWALS = 1000


@dataclass(frozen=True, slots=True)
class Authority:
    """Who gives numbers, as this process knows it."""

    source: Source
    epoch: int


class Keeper:
    """The knowledge that the requests of this process share, and the thread that keeps it true."""

    def __init__(self) -> None:
        self.process = uuid4()
        self.blocks = Blocks()
        self._authority: Authority | None = None
        self._starting = Lock()
        self._wake = Event()
        self._ends = False
        self._running_low: dict[Key, int] = {}
        self._thread: Thread | None = None
        self._reaches_since: datetime | None = None

    def authority(self) -> Authority:
        """Who gives numbers; asks the database only the first time."""
        if self._authority is None:
            with self._starting:
                if self._authority is None:
                    self._start()
        assert self._authority is not None  # noqa: S101 - it was just read
        return self._authority

    def look_again(self) -> None:
        """Read who gives numbers. Raises OperationalError without a database."""
        self._learn(read_authority())

    def renew_soon(self, parent: Key, epoch: int) -> None:
        """This parent's block runs low."""
        if len(self._running_low) < WAITING_RENEWALS:
            self._running_low[parent] = epoch
            self._wake.set()

    def _start(self) -> None:
        authority = read_authority()
        # From here on an examination waits for this process.
        report(self.process, self.blocks, authority.examination)
        self._learn(authority)
        self._thread = Thread(target=self._run, name="numbering", daemon=True)
        self._thread.start()
        # Runs at the end of any process, of one that multiprocessing has made too.
        Finalize(self, self.end, exitpriority=100)

    def _learn(self, authority: NumberAuthority) -> None:
        self._authority = Authority(Source(authority.source), authority.epoch)

    def _run(self) -> None:
        failing = False
        while not self._ends:
            self._wake.wait(TICK_SECONDS)
            self._wake.clear()
            try:
                self._tick()
                failing = False
            except (DatabaseError, InterfaceError) as error:
                connection.close()
                if not failing:
                    logger.warning("numbering cannot reach the database: %s", error)
                failing = True
            except Exception:
                logger.exception("numbering: unexpected error")
        connection.close()

    def _tick(self) -> None:
        authority = read_authority()
        self._learn(authority)
        if authority.source == Source.DATABASE:
            self._probe()
        report(self.process, self.blocks, authority.examination)
        if authority.source == Source.DATABASE:
            self._return_to_redis(authority.epoch)
        while self._running_low:
            self._renew(*self._running_low.popitem())

    def _probe(self) -> None:
        """Whether Redis can be written to."""
        try:
            client().set(f"probe:{self.process}", 1, ex=60)
        except redis.RedisError:
            self._reaches_since = None
        else:
            self._reaches_since = self._reaches_since or timezone.now()
        mine = NumberingProcess.objects.filter(pk=self.process)
        mine.update(reaches_redis_since=self._reaches_since)

    def _return_to_redis(self, epoch: int) -> None:
        now = timezone.now()
        living = NumberingProcess.objects.filter(seen_at__gt=now - FRESH)
        if living.exclude(reaches_redis_since__lt=now - STEADY).exists():
            return
        try:
            with transaction.atomic(durable=True):
                authority = lock_authority()
                if (authority.source, authority.epoch) != (Source.DATABASE, epoch):
                    return
                start_epoch_in_redis(authority, "Redis is back")
        except redis.RedisError as error:
            logger.warning("numbering stays with the database: %s", error)
            return
        self._reaches_since = None
        self.look_again()

    def _renew(self, parent: Key, epoch: int) -> None:
        try:
            provide_numbers(self.blocks, epoch, parent)
        except (RedisAway, Unanswered, Untrusted, AuthorityChanged) as error:
            # The next request of this parent asks again.
            logger.info("no lease for %s now: %s", parent, error)

    def end(self) -> None:
        """The process ends: say so, with the fence it has seen."""
        if not self.stop():
            return
        try:
            sign_off(self.process, self.blocks)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("numbering cannot sign off: %s", error)
        finally:
            connection.close()

    def stop(self) -> bool:
        """End the thread; false when there is none."""
        thread, self._thread = self._thread, None
        if thread is None:
            return False
        self._ends = True
        self._wake.set()
        thread.join(2)
        return True
