"""Several services asked at once, none waited for longer than it is given.

One that hangs is asked once: whoever asks again waits for the same answer, and for no longer, so
that the threads are as few as the questions.

One trial of each part of the service, raising what is wrong with it; quick to fail.

A part is tried by what requests do with it: many servers that answer a ping refuse every write.
What requests have met lately is a part, too.

The clients are imported where they are used: a process that has no such service would start a
second later and carry them all its life.
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
from ingest.models import DeadLetter
from ingest.numbering.authority import read_authority
from ingest.numbering.models import Source
from operations.schedule import scheduled

Answer = TypeVar("Answer")


class NoAnswer(Exception):
    """The service did not answer in time."""


class ParallelQuestions(Generic[Answer]):
    """Questions by name; a question raises what is wrong with its service."""

    def __init__(self, name: str, at_once: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix=name)
        self._lock = Lock()
        self._running: dict[str, Future[Answer]] = {}

    def ask(
        self, questions: Mapping[str, Callable[[], Answer]], limits: Mapping[str, float]
    ) -> dict[str, Answer | Exception]:
        """For each question its answer, or what went wrong; `limits` in seconds from now."""
        began = monotonic()
        asked = {name: self._begin(name, question) for name, question in questions.items()}
        outcomes: dict[str, Answer | Exception] = {}
        for name in sorted(asked, key=limits.__getitem__):
            outcome = _outcome_within(name, asked[name], began + limits[name] - monotonic())
            outcomes[name] = outcome
        return outcomes

    def _begin(self, name: str, question: Callable[[], Answer]) -> "Future[Answer]":
        with self._lock:
            running = self._running.get(name)
            if running is None or running.done():
                running = self._running[name] = self._pool.submit(question)
            return running


def _outcome_within(name: str, future: Future[Answer], seconds: float) -> Answer | Exception:
    wait([future], max(seconds, 0))
    if not future.done():
        return NoAnswer(f"{name} did not answer in time")
    # Whatever it is that went wrong, it is the answer.
    error = future.exception()
    return error if isinstance(error, Exception) else future.result()


#: So many dead letters are counted; of more it is enough to know that there are.
DEAD_LETTERS_COUNTED = 1000

#: Raises when the part fails; may have something to say about it.
Probe = Callable[[], Mapping[str, int] | None]


class NotWell(Exception):
    """The part answers and does not do its work; the message is for operators."""


@dataclass(frozen=True)
class Part:
    """A part of the service that is well or not; `is_on` says whether this installation has it."""

    name: str
    probe: Probe
    is_on: Callable[[], bool]


_registered: dict[str, Part] = {}


def register_part(part: Part) -> None:
    """Add a part to the health check. The application that owns the part calls this in ready()."""
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
    try:
        authority = read_authority()
        if authority.source != Source.REDIS:
            raise NotWell(f"the database gives numbers since {authority.since}")
    finally:
        connection.close()


def _count_dead_letters() -> Mapping[str, int]:
    """They need an operator; the service does without."""
    try:
        return {"count": DeadLetter.objects.values("pk")[:DEAD_LETTERS_COUNTED].count()}
    finally:
        connection.close()


def _probe_schedule() -> None:
    """Whether beat sends the scheduled work, and somebody does it."""
    try:
        late = [one.name for one in scheduled() if one.is_late]
    finally:
        connection.close()
    if late:
        raise NotWell(f"late: {', '.join(late)}")


def _probe_requests() -> None:
    if failing := recent_failures.failing():
        raise NotWell(f"answered with errors of the service only: {', '.join(failing)}")


def _probe_redis() -> None:
    import redis  # noqa: PLC0415 - see above

    from infra import redis_client  # noqa: PLC0415 - see above

    url = settings.ENVIRONMENT.redis_url
    with redis.Redis.from_url(
        url, socket_timeout=HEALTH_PART_SECONDS, socket_connect_timeout=HEALTH_PART_SECONDS
    ) as client:
        redis_client.try_redis_write(client)


def _probe_workers() -> None:
    """Whether each queue of work has somebody who takes from it."""
    deserted = [name for name, state in queue_states(*WORK).items() if not state.consumers]
    if deserted:
        raise NotWell(f"no worker takes from: {', '.join(deserted)}")
