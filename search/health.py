"""What is wrong with search, for operators: whatever makes a search miss the index, or find less.

It asks what searches and the search worker ask, so every state in which one of them is refused is
seen here too, whatever Elasticsearch says of its own health.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone
from prometheus_client.metrics_core import Metric

from infra.timeouts import HEALTH_PART_SECONDS
from operations import gauges, probes
from search.errors import IndexUnusable, NoIndex
from search.models import BacklogEntry

#: In ordinary running a change is indexed within two seconds.
BEHIND = timedelta(seconds=15)


def register() -> None:
    """Add search to the health check and to the gauges."""
    probes.register_part(probes.Part("elasticsearch", ping_elasticsearch, _is_on))
    probes.register_part(probes.Part("search_index", _probe_index, _is_on))
    gauges.register_source(gauges.Source("elasticsearch", _ask_elasticsearch, _is_on))
    gauges.register_source(gauges.Source("database", backlog_gauges, lambda: True))


def _is_on() -> bool:
    return bool(settings.ENVIRONMENT.elasticsearch_url)


def ping_elasticsearch() -> None:
    """Raises the errors of the Elasticsearch client."""
    from search.index.client import client  # noqa: PLC0415 - see search.index

    client().options(request_timeout=HEALTH_PART_SECONDS).info()


def _ask_elasticsearch() -> list[Metric]:
    ping_elasticsearch()
    return []


def backlog_gauges() -> list[Metric]:
    """Changes that the index still lacks. Raises errors of the database."""
    backlog = BacklogEntry.objects.order_by("pk")
    oldest = backlog.values_list("recorded_at", flat=True).first()
    return [
        gauges.gauge(
            "chatsystem_index_backlog_entries",
            f"Changes that are still to be indexed, {gauges.ROWS_COUNTED} at most.",
            backlog.values("pk")[: gauges.ROWS_COUNTED].count(),
        ),
        gauges.gauge(
            "chatsystem_index_backlog_age_seconds",
            "For how long the oldest of them has waited.",
            _age_seconds(oldest) if oldest else 0,
        ),
    ]


def _age_seconds(since: datetime) -> float:
    return max((timezone.now() - since).total_seconds(), 0)


def _probe_index() -> None:
    if (reason := health_problem()) is not None:
        raise probes.ProbeFailed(reason)


def health_problem() -> str | None:
    """One sentence, or None while searches are answered by an index that is in step.

    Raises OperationalError.
    """
    from search.index.layout import layout  # noqa: PLC0415 - see search.index
    from search.index.querying import breaker, require_readable  # noqa: PLC0415

    try:
        require_readable(HEALTH_PART_SECONDS)
        if breaker().is_open:
            return "this process leaves Elasticsearch alone, the database answers searches"
        layout(HEALTH_PART_SECONDS)
    except NoIndex:
        return "the search index is not complete, the database answers searches"
    except IndexUnusable as error:
        return f"the search index is away, or refuses what it does otherwise: {error}"
    return _lag()


def _lag() -> str | None:
    try:
        oldest = BacklogEntry.objects.order_by("pk").values_list("recorded_at", flat=True).first()
    finally:
        connection.close()
    if oldest is None or oldest > timezone.now() - BEHIND:
        return None
    return f"changes since {oldest} are not in the search index"
