"""Probes of the parts of the service, for the health check; and parallel calls with time limits.

A probe raises what is wrong with its part, and fails fast. It tries what requests do with the part:
many servers that answer a ping refuse every write. The errors of recent requests are a part, too.

The clients are imported where they are used: a process without the service would start a second
later and keep them in memory for life.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

from django.conf import settings
from django.db import connection

from api.request_metrics import recent_failures
from infra.database import ping_database, try_database_write
from infra.rabbitmq.connection import queue_states
from infra.rabbitmq.publisher import try_to_publish
from infra.rabbitmq.queues import WORK
from infra.timeouts import HEALTH_PART_SECONDS
from ingest.models import DeadLetter, Source
from ingest.numbering.authority import read_authorities
from operations.schedule import scheduled

#: Dead letters are counted up to this number.
MAX_DEAD_LETTERS = 1000

Answer = TypeVar("Answer")

#: Raises if the part fails; may return figures to show.
Probe = Callable[[], Mapping[str, int] | None]


class ProbeFailed(Exception):
    """The part answers but does not do its work; the message is shown to operators."""


@dataclass(frozen=True)
class Part:
    """A part of the health check; `is_on` says whether this installation has it."""

    name: str
    probe: Probe
    is_on: Callable[[], bool]


_registered: dict[str, Part] = {}


def register_part(part: Part) -> None:
    """Add a part to the health check; the application that owns it calls this in ready()."""
    _registered[part.name] = part


def probes() -> Mapping[str, Probe]:
    """The probes of all parts that are switched on, by name."""
    environment = settings.ENVIRONMENT
    switched_on = {
        "database": (ping_database, True),
        "database_writes": (try_database_write, True),
        "requests": (_probe_requests, True),
        "dead_letters": (_count_dead_letters, True),
        "schedule": (_probe_schedule, True),
        "redis": (_probe_redis, environment.redis_url),
        "numbering": (_probe_numbering, environment.redis_url),
        "rabbitmq": (try_to_publish, environment.broker_url),
        "workers": (_probe_workers, environment.broker_url),
        **{part.name: (part.probe, part.is_on()) for part in _registered.values()},
    }
    return {name: probe for name, (probe, on) in switched_on.items() if on}


def _probe_numbering() -> None:
    for authority in read_authorities().values():
        if authority.source != Source.REDIS:
            raise ProbeFailed(f"the database has given the numbers since {authority.since}")


def _count_dead_letters() -> Mapping[str, int]:
    """The number of dead letters. They need an operator, but do not make the part fail."""
    return {"count": DeadLetter.objects.values("pk")[:MAX_DEAD_LETTERS].count()}


def _probe_schedule() -> None:
    late = [one.name for one in scheduled() if one.is_late]
    if late:
        raise ProbeFailed(f"late: {', '.join(late)}")


def _probe_requests() -> None:
    if failing := recent_failures.failing():
        raise ProbeFailed(f"all recent requests failed: {', '.join(failing)}")


def _probe_redis() -> None:
    from infra import redis_client  # noqa: PLC0415 - see above

    one_of_each = {redis_client.server_of(shard): shard for shard in redis_client.shards()}
    for server, shard in one_of_each.items():
        with server.new_client(HEALTH_PART_SECONDS) as client:
            redis_client.try_redis_write(client, shard)


def _probe_workers() -> None:
    """Each work queue has a consumer."""
    deserted = [name for name, state in queue_states(*WORK).items() if not state.consumers]
    if deserted:
        raise ProbeFailed(f"no worker for: {', '.join(deserted)}")


class NoAnswer(Exception):
    """The service did not answer in time."""


class ParallelCalls(Generic[Answer]):
    """Runs calls to several services in parallel, each with a time limit.

    A call that hangs is not started twice: a second caller waits for the same answer, within its
    own limit. So there are at most as many threads as names.
    """

    def __init__(self, name: str, max_threads: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=max_threads, thread_name_prefix=name)
        self._lock = Lock()
        self._running: dict[str, Future[Answer]] = {}

    def run(
        self, calls: Mapping[str, Callable[[], Answer]], limits: Mapping[str, float]
    ) -> dict[str, Answer | Exception]:
        """The result or the exception of each call; `limits` in seconds from now."""
        began = monotonic()
        started = {name: self._start(name, call) for name, call in calls.items()}
        outcomes: dict[str, Answer | Exception] = {}
        for name in sorted(started, key=limits.__getitem__):
            outcome = _outcome(name, started[name], began + limits[name] - monotonic())
            outcomes[name] = outcome
        return outcomes

    def _start(self, name: str, call: Callable[[], Answer]) -> "Future[Answer]":
        with self._lock:
            running = self._running.get(name)
            if running is None or running.done():
                running = self._running[name] = self._pool.submit(_and_disconnect, call)
            return running


def _and_disconnect(call: Callable[[], Answer]) -> Answer:
    """Call it, and keep no connection to the database: the next call may come much later."""
    try:
        return call()
    finally:
        connection.close()


def _outcome(name: str, future: Future[Answer], seconds: float) -> Answer | Exception:
    wait([future], max(seconds, 0))
    if not future.done():
        return NoAnswer(f"{name} did not answer in time")
    error = future.exception()
    return error if isinstance(error, Exception) else future.result()
