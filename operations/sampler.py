"""The sampler: every ten seconds it stores the metrics for the dashboard in the database.

Each web process has a sampler thread. Among the processes that share a directory of counters, the
first one takes the sample, so a process that hangs costs no sample. Containers with different host
names may share a directory, too: their counters are the same sum, which must be drawn once. A
sample needs only the database; the gauges of a service that is down are missing in it.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import uniform
from threading import Thread

from django.db import DatabaseError, IntegrityError, InterfaceError, connection
from prometheus_client.metrics_core import Metric

from infra.logs import Event, get_logger
from infra.metrics import collect_all
from infra.prometheus_multiprocess import identity
from operations.gauges import read_gauges
from operations.models import Sample

logger = get_logger(__name__)

EVERY_SECONDS = 10
#: The dashboard shows one hour; older samples are deleted.
KEPT = timedelta(hours=2)
#: Processes wake up at random within this time, so that mostly the first has stored its sample
#: before the next one looks.
_SPREAD_SECONDS = 2.0

SAMPLED = frozenset({
    "chatsystem_rows_accepted_total",
    "chatsystem_rows_stored_total",
    "chatsystem_breaker_open",
    "chatsystem_up",
    "chatsystem_queue_messages",
    "chatsystem_queue_consumers",
    "chatsystem_pending_rows",
    "chatsystem_pending_age_seconds",
    "chatsystem_dead_letters",
    "chatsystem_index_backlog_entries",
    "chatsystem_index_backlog_age_seconds",
    "chatsystem_numbers_from_redis",
    "chatsystem_job_duration_seconds",
})  # fmt: skip

#: Values by the name of the metric, then by the values of its labels.
Figures = dict[str, dict[str, float]]


def start() -> None:
    """Start the sampler in a thread that ends with the process."""
    Thread(target=_run, name="sampler", daemon=True).start()


def _run() -> None:
    while True:
        time.sleep(EVERY_SECONDS - time.time() % EVERY_SECONDS + uniform(0, _SPREAD_SECONDS))  # noqa: S311
        try:
            take_sample(datetime.now(UTC))
        except (DatabaseError, InterfaceError) as error:
            logger.info(Event.SAMPLE_MISSED, error=error)
        except Exception:
            logger.exception(Event.SAMPLE_MISSED)
        finally:
            _close()


def take_sample(now: datetime) -> None:
    """Store a sample, unless another process has. Raises database errors."""
    host = identity()[:64]
    instant = datetime.fromtimestamp(int(now.timestamp()) // EVERY_SECONDS * EVERY_SECONDS, UTC)
    if Sample.objects.filter(host=host, instant=instant).exists():
        return
    figures = _figures([*collect_all(), *read_gauges()])
    try:
        Sample.objects.create(host=host, instant=instant, figures=figures)
    except IntegrityError:
        return  # another process was quicker
    # Also delete samples from the future: a clock that was wrong made them, and they never expire.
    Sample.objects.exclude(instant__range=(now - KEPT, now + KEPT)).delete()


def _figures(metrics: Iterable[Metric]) -> Figures:
    figures: Figures = {}
    for metric in metrics:
        for sample in metric.samples:
            if sample.name in SAMPLED:
                figures.setdefault(sample.name, {})[",".join(sample.labels.values())] = sample.value
    return figures


def _close() -> None:
    try:
        connection.close()
    except (DatabaseError, InterfaceError) as error:
        logger.debug(Event.SERVICE_STILL_AWAY, service="database", error=error)
