"""Breakable services for one test, and the processes that use them."""

from datetime import timedelta

import pytest

import operations.audit.unstored  # noqa: F401 - it keeps the limit that is changed here
from infra import redis_client
from infra.rabbitmq.publisher import publisher
from ingest import commit as acceptor
from ingest import redis_keys
from ingest.commit import Committer
from ingest.group_commit import GroupCommit
from ingest.models import Source
from ingest.numbering.authority import read_authority
from ingest.records import record_types
from search.index.layout import pattern
from tests.live.servers import eventually
from tests.model.queues import OwnQueues
from tests.pipeline.proxy import Proxy
from tests.redis_server import RedisServer
from tests.search.index import SearchIndex
from tests.shards import ONLY

WITHIN_S = 30
PROCESSES = 2


class Services:
    """Redis and the broker behind proxies, an index, and two web processes."""

    def __init__(
        self,
        redis: RedisServer,
        ways: tuple[Proxy, Proxy],
        queues: OwnQueues,
        index: SearchIndex,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.redis = redis
        self.redis_way, self.broker_way = ways
        self.queues = queues
        self.index = index
        self._monkeypatch = monkeypatch
        self.processes: list[Committer] = []
        self._make_haste()

    def _make_haste(self) -> None:
        """Shorten the waits for time to pass; leave those for responses unchanged."""
        brief = timedelta(seconds=0.2)
        for name, value in {
            "ingest.commit.REDIS_GRACE_SECONDS": 0.1,
            "ingest.earlier_keys.BROKER_CONFIRM_SECONDS": 0.0,
            "ingest.earlier_keys.WORKER_HOLDS_SECONDS": 0.1,
            "ingest.commit.REQUEST_UNDECIDED_SECONDS": 0.5,
            "ingest.sweeper.AGE_MS": 0,
            "ingest.sweeper.SETTLED_AFTER": timedelta(),
            "ingest.writer.COMPANY_SECONDS": 0.0,
            "infra.breaker.BREAKER_PROBE_SECONDS": 0.02,
            "ingest.numbering.fencing.REDIS_EXAMINATION_SECONDS": 0.5,
            "ingest.numbering.fencing.REDIS_SILENCE_SECONDS": 0.5,
            "ingest.commit.REDIS_DECISION_SECONDS": 1.0,
            "ingest.numbering.agent.TICK_SECONDS": 0.1,
            "ingest.numbering.agent.REACHED_FOR": brief,
            "ingest.numbering.agent.ALIVE_WITHIN": 3 * brief,
        }.items():
            self._monkeypatch.setattr(name, value)

    def begin(self) -> None:
        """Set up all services, empty and new."""
        self.end()
        self.open_ways()
        self.queues.purge()
        self.queues.copies.clear()
        self.redis.client().script_flush()
        self.redis.client().flushall()
        self.redis.take_snapshot()
        self.index.server.delete_by_query(
            index=pattern(), query={"match_all": {}}, refresh=True, conflicts="proceed"
        )
        self.processes = [Committer() for _ in range(PROCESSES)]
        self.turn_to(0)

    def end(self) -> None:
        """End all processes."""
        for process in self.processes:
            process._agent.end()
        self.processes = []

    # Processes.

    def turn_to(self, number: int) -> None:
        """Let this process answer the next requests."""
        commit = GroupCommit(self.processes[number].commit)
        self._monkeypatch.setattr(acceptor, "_at_once", commit)

    def replace(self, number: int, *, killed: bool) -> None:
        """Replace this process, which shuts down cleanly or is killed."""
        agent = self.processes[number]._agent
        if killed:
            agent.stop()
        else:
            agent.end()
        self.processes[number] = Committer()
        self.turn_to(number)

    # What comes back.

    def open_ways(self) -> None:
        """Make all services reachable, and wait until the processes notice."""
        for way in (self.redis_way, self.broker_way):
            way.close()
            way.open()
        self.await_redis()
        self.await_broker()

    def await_redis(self) -> None:
        """Wait until readers use Redis again; numbers may still come from the database."""
        eventually(
            lambda: not redis_client.server_of(ONLY).breaker.is_open, WITHIN_S, "Redis is back"
        )

    def await_numbers_of_redis(self) -> None:
        """Wait until Redis gives the numbers."""
        for process in self.processes:
            process._agent.authority(ONLY)  # its thread runs
        eventually(lambda: not database_gives_numbers(), WITHIN_S, "Redis gives numbers")

    def await_broker(self) -> None:
        """Wait until publishers use the broker again."""
        eventually(lambda: not publisher().breaker.is_open, WITHIN_S, "the broker is back")

    def rest(self) -> None:
        """Delete the workers' progress, as if they had been idle for half a minute."""
        self.redis.client().delete(*(redis_keys.progress(ONLY, kind) for kind in record_types()))


def database_gives_numbers() -> bool:
    """Whether the database is the numbering authority."""
    return read_authority(ONLY).source == Source.DATABASE
