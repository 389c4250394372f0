"""What can be asked of the services: gauges, read when somebody wants to know them.

Each service is asked for its own at once, within a limit. What one that is down would have told is
absent, and `chatsystem_up` says so; nothing is ever raised.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from chatsystem.asking import Asking
from chatsystem.probes import ask_elasticsearch
from chatsystem.schedule import scheduled
from core.broker.depth import states_of
from core.broker.queues import QUEUES
from core.counts import JOB as COUNT_JOB
from core.logs import Event, get_logger
from core.models import DeadLetter, Job
from core.numbering.authority import read_authority
from core.numbering.models import Source
from core.redis.waiting import pending_rows
from core.timeouts import HEALTH_SECONDS
from search.models import BacklogEntry

logger = get_logger(__name__)

#: Of what is counted row by row it is enough to know that there are so many.
COUNTED = 10_000

_asking: Asking[list[Metric]] = Asking("readings", at_once=8)


def readings() -> list[Metric]:
    """The gauges of all services that are switched on and answer."""
    readers = _readers()
    answers = _asking.ask(readers, dict.fromkeys(readers, HEALTH_SECONDS))
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


def _readers() -> Mapping[str, Callable[[], list[Metric]]]:
    environment = settings.ENVIRONMENT
    switched_on = {
        "database": (_database, True),
        "redis": (_redis, environment.redis_url),
        "rabbitmq": (_rabbitmq, environment.broker_url),
        "elasticsearch": (_elasticsearch, environment.elasticsearch_url),
    }
    return {name: reader for name, (reader, on) in switched_on.items() if on}


def _database() -> list[Metric]:
    try:
        return [*_stored(), *_numbering(), *_jobs(), *_schedule()]
    finally:
        connection.close()


def _stored() -> list[Metric]:
    backlog = BacklogEntry.objects.order_by("pk")
    oldest = backlog.values_list("recorded_at", flat=True).first()
    return [
        _gauge(
            "chatsystem_dead_letters",
            f"What was set aside and still is, {COUNTED} at most.",
            DeadLetter.objects.values("pk")[:COUNTED].count(),
        ),
        _gauge(
            "chatsystem_index_backlog_entries",
            f"Changes that are still to be indexed, {COUNTED} at most.",
            backlog.values("pk")[:COUNTED].count(),
        ),
        _gauge(
            "chatsystem_index_backlog_age_seconds",
            "For how long the oldest of them has waited.",
            _age(oldest) if oldest else 0,
        ),
    ]


def _numbering() -> list[Metric]:
    if not settings.ENVIRONMENT.redis_url:
        return []
    is_redis = read_authority().source == Source.REDIS
    return [_gauge("chatsystem_numbers_from_redis", "Whether Redis gives the numbers.", is_redis)]


def _jobs() -> list[Metric]:
    ended = GaugeMetricFamily(
        "chatsystem_job_ended_timestamp_seconds",
        "When the last whole run of the job ended.",
        labels=("name",),
    )
    took = GaugeMetricFamily(
        "chatsystem_job_duration_seconds", "How long that run took.", labels=("name",)
    )
    rows = GaugeMetricFamily(
        "chatsystem_count_job_rows",
        "What the last whole run of the count job did.",
        labels=("count", "done"),
    )
    for job in Job.objects.all():
        if job.finished_at is None or job.started_at is None:
            continue
        ended.add_metric([job.name], job.finished_at.timestamp())
        # While another run is under way, its beginning is what is known.
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
        "When the scheduled task last ran to its end.",
        labels=("name",),
    )
    late = GaugeMetricFamily(
        "chatsystem_schedule_late_seconds",
        "Since when it is late, 0 if it is not.",
        labels=("name",),
    )
    for one in scheduled():
        late.add_metric([one.name], one.late_by.total_seconds())
        if one.ran_at:
            ran.add_metric([one.name], one.ran_at.timestamp())
    return [ran, late]


def _redis() -> list[Metric]:
    pending = pending_rows()
    return [
        _gauge(
            "chatsystem_pending_parents",
            "Applications and chats with rows that are accepted and not stored yet.",
            pending.parents,
        ),
        _gauge(
            "chatsystem_pending_rows",
            "Rows that are accepted and not stored yet, of the parents where they wait longest.",
            pending.rows,
        ),
        _gauge(
            "chatsystem_pending_age_seconds",
            "For how long the oldest of them has waited.",
            pending.age_seconds,
        ),
    ]


def _rabbitmq() -> list[Metric]:
    messages = GaugeMetricFamily(
        "chatsystem_queue_messages", "Messages that wait in the queue.", labels=("queue",)
    )
    consumers = GaugeMetricFamily(
        "chatsystem_queue_consumers", "Workers that take from the queue.", labels=("queue",)
    )
    for name, state in states_of(*(queue.name for queue in QUEUES)).items():
        messages.add_metric([name], state.messages)
        consumers.add_metric([name], state.consumers)
    return [messages, consumers]


def _elasticsearch() -> list[Metric]:
    ask_elasticsearch()
    return []


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)


def _age(since: datetime) -> float:
    return max((timezone.now() - since).total_seconds(), 0)
