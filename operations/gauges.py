"""Gauges of the services, read when metrics are requested or a sample is taken.

All services are read in parallel, each within a limit. The gauges of a service that does not answer
are missing, and `chatsystem_up` is 0 for it; nothing is raised.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from infra.logs import Event, get_logger
from infra.models import Job
from infra.rabbitmq.connection import queue_states
from infra.rabbitmq.queues import QUEUES
from infra.timeouts import HEALTH_SECONDS
from ingest.models import DeadLetter
from ingest.models import Source as NumberSource
from ingest.numbering.authority import read_authorities
from ingest.pending_index import pending_stats
from operations.counts import COUNT_JOB
from operations.probes import ParallelCalls
from operations.schedule import scheduled

logger = get_logger(__name__)

#: Rows are counted up to this number.
ROWS_COUNTED = 10_000

_calls: ParallelCalls[list[Metric]] = ParallelCalls("gauges", max_threads=8)


def read_gauges() -> list[Metric]:
    """The gauges of all services that are switched on and answer."""
    readers = _sources()
    answers = _calls.run(readers, dict.fromkeys(readers, HEALTH_SECONDS))
    up = GaugeMetricFamily(
        "chatsystem_up", "Whether the service answers in time.", labels=("service",)
    )
    found: list[Metric] = [up]
    for name, answer in answers.items():
        up.add_metric([name], not isinstance(answer, Exception))
        if isinstance(answer, Exception):
            logger.info(Event.READING_MISSING, service=name, error=answer)
        else:
            found += answer
    return found


@dataclass(frozen=True)
class Source:
    """Gauges read from a service; `is_on` says whether this installation has it."""

    service: str
    read: Callable[[], list[Metric]]
    is_on: Callable[[], bool]


_registered: list[Source] = []


def register_source(source: Source) -> None:
    """Add gauges of a service; the application that owns them calls this in ready()."""
    _registered.append(source)


def _sources() -> Mapping[str, Callable[[], list[Metric]]]:
    environment = settings.ENVIRONMENT
    own = (
        Source("database", _database, lambda: True),
        Source("redis", _redis, lambda: bool(environment.redis_url)),
        Source("rabbitmq", _rabbitmq, lambda: bool(environment.broker_url)),
    )
    by_service: defaultdict[str, list[Source]] = defaultdict(list)
    for source in (*own, *_registered):
        if source.is_on():
            by_service[source.service].append(source)
    return {service: partial(_read_all, sources) for service, sources in by_service.items()}


def _read_all(sources: Sequence[Source]) -> list[Metric]:
    return [metric for source in sources for metric in source.read()]


def _database() -> list[Metric]:
    return [_dead_letters(), *_numbering(), *_jobs(), *_schedule()]


def _dead_letters() -> Metric:
    return gauge(
        "chatsystem_dead_letters",
        f"Dead letters, counted up to {ROWS_COUNTED}.",
        DeadLetter.objects.values("pk")[:ROWS_COUNTED].count(),
    )


def _numbering() -> list[Metric]:
    if not settings.ENVIRONMENT.redis_url:
        return []
    sources = {one.source for one in read_authorities().values()}
    is_redis = sources == {NumberSource.REDIS}
    return [gauge("chatsystem_numbers_from_redis", "Whether Redis gives the numbers.", is_redis)]


def _jobs() -> list[Metric]:
    ended = GaugeMetricFamily(
        "chatsystem_job_ended_timestamp_seconds",
        "When the last complete run of the job ended.",
        labels=("name",),
    )
    took = GaugeMetricFamily(
        "chatsystem_job_duration_seconds",
        "How long the last complete run of the job took.",
        labels=("name",),
    )
    rows = GaugeMetricFamily(
        "chatsystem_count_job_rows",
        "Rows counted and corrected by the last complete run of the count job.",
        labels=("count", "done"),
    )
    for job in Job.objects.all():
        if job.finished_at is None or job.started_at is None:
            continue
        ended.add_metric([job.name], job.finished_at.timestamp())
        # While another run is running, started_at is already its start.
        if job.started_at <= job.finished_at:
            took.add_metric([job.name], (job.finished_at - job.started_at).total_seconds())
        if job.name == COUNT_JOB:
            for count, tally in job.outcome.items():
                for done, number in tally.items():
                    rows.add_metric([count, done], number)
    return [ended, took, rows]


def _schedule() -> list[Metric]:
    ran = GaugeMetricFamily(
        "chatsystem_schedule_ran_timestamp_seconds",
        "When the scheduled task last ended without an error.",
        labels=("name",),
    )
    late = GaugeMetricFamily(
        "chatsystem_schedule_late_seconds",
        "For how long the scheduled task has been late, 0 if it is not.",
        labels=("name",),
    )
    for one in scheduled():
        late.add_metric([one.name], one.late_by.total_seconds())
        if one.ran_at:
            ran.add_metric([one.name], one.ran_at.timestamp())
    return [ran, late]


def _redis() -> list[Metric]:
    pending = pending_stats()
    return [
        gauge(
            "chatsystem_pending_parents",
            "Applications and chats with rows that are accepted but not stored yet.",
            pending.parents,
        ),
        gauge(
            "chatsystem_pending_rows",
            "Rows that are accepted but not stored yet, of the parents with the oldest ones.",
            pending.rows,
        ),
        gauge(
            "chatsystem_pending_age_seconds",
            "Age of the oldest row that is accepted but not stored yet.",
            pending.age_seconds,
        ),
    ]


def _rabbitmq() -> list[Metric]:
    messages = GaugeMetricFamily(
        "chatsystem_queue_messages", "Messages waiting in the queue.", labels=("queue",)
    )
    consumers = GaugeMetricFamily(
        "chatsystem_queue_consumers", "Consumers of the queue.", labels=("queue",)
    )
    for name, state in queue_states(*(queue.name for queue in QUEUES)).items():
        messages.add_metric([name], state.messages)
        consumers.add_metric([name], state.consumers)
    return [messages, consumers]


def gauge(name: str, help_text: str, value: float) -> Metric:
    """A gauge without labels."""
    return GaugeMetricFamily(name, help_text, value=value)
