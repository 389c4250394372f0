"""Health and gauges of search, for operators: whether the index is in use and up to date.

The probe sends the same requests as searches and the search worker, so it notices every state in
which one of them fails, whatever Elasticsearch reports about its own health.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from prometheus_client.metrics_core import Metric

from infra.timeouts import HEALTH_PART_SECONDS
from operations import gauges, probes
from search.errors import IndexUnusable, NoIndex
from search.models import BacklogEntry

#: In normal operation a change is indexed within two seconds.
MAX_LAG = timedelta(seconds=15)


def register() -> None:
    """Register the health probes and the gauges of search."""
    probes.register_part(probes.Part("elasticsearch", ping_elasticsearch, _is_on))
    probes.register_part(probes.Part("search_index", _probe_index, _is_on))
    gauges.register_source(gauges.Source("elasticsearch", _ask_elasticsearch, _is_on))
    gauges.register_source(gauges.Source("database", backlog_gauges, lambda: True))


def _is_on() -> bool:
    return bool(settings.ENVIRONMENT.elasticsearch_url)


def ping_elasticsearch() -> None:
    """Send a request to Elasticsearch. Raises the errors of its client."""
    from search.index.client import client  # noqa: PLC0415 - see search.index

    client().options(request_timeout=HEALTH_PART_SECONDS).info()


def _ask_elasticsearch() -> list[Metric]:
    ping_elasticsearch()
    return []


def backlog_gauges() -> list[Metric]:
    """The size and age of the index backlog. Raises errors of the database."""
    oldest = _oldest_change()
    return [
        gauges.gauge(
            "chatsystem_index_backlog_entries",
            f"Changes that are still to be indexed, {gauges.ROWS_COUNTED} at most.",
            BacklogEntry.objects.values("pk")[: gauges.ROWS_COUNTED].count(),
        ),
        gauges.gauge(
            "chatsystem_index_backlog_age_seconds",
            "For how long the oldest of them has waited.",
            max((timezone.now() - oldest).total_seconds(), 0) if oldest else 0,
        ),
    ]


def _probe_index() -> None:
    """The index is in use and up to date. Raises ProbeFailed, OperationalError."""
    from search.index.layout import layout  # noqa: PLC0415 - see search.index
    from search.index.queries import breaker, require_readable  # noqa: PLC0415

    try:
        require_readable(HEALTH_PART_SECONDS)
        if breaker().is_open:
            reason = "the circuit breaker for Elasticsearch is open, the database answers searches"
            raise probes.ProbeFailed(reason)
        layout(HEALTH_PART_SECONDS)
    except NoIndex:
        raise probes.ProbeFailed(f"{_why_none()}, the database answers searches") from None
    except IndexUnusable as error:
        reason = f"the search index is unavailable or rejects requests: {error}"
        raise probes.ProbeFailed(reason) from None
    oldest = _oldest_change()
    if oldest is not None and oldest <= timezone.now() - MAX_LAG:
        raise probes.ProbeFailed(f"changes since {oldest} are not in the search index")


def _why_none() -> str:
    from search.index.layout import layout  # noqa: PLC0415 - see search.index

    with suppress(IndexUnusable):
        if layout(HEALTH_PART_SECONDS).outdated:
            return "the search index is of another release and is being replaced"
    return "the search index is not complete"


def _oldest_change() -> datetime | None:
    return BacklogEntry.objects.order_by("pk").values_list("recorded_at", flat=True).first()
