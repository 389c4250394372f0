"""The registry of this process's metrics, and the metrics of services; packages add their own."""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, disable_created_metrics
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import CollectorRegistry

from infra import prometheus_multiprocess

prometheus_multiprocess.attach()
disable_created_metrics()

registry = CollectorRegistry()
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

PUBLISHES = Counter(
    "chatsystem_publishes",
    "Messages published to the queues: confirmed by the broker, or failed.",
    ("outcome",),
    registry=registry,
)

TASKS_FAILED = Counter(
    "chatsystem_tasks_failed",
    "Failed runs of tasks; the next run of a scheduled task does the work.",
    ("task",),
    registry=registry,
)

BREAKER_OPEN = Gauge(
    "chatsystem_breaker_open",
    "Processes that do not call this service now, because it failed.",
    ("service",),
    multiprocess_mode="livesum",
    registry=registry,
)
BREAKER_OPENED = Counter(
    "chatsystem_breaker_opened",
    "How often a process stopped calling this service because it failed.",
    ("service",),
    registry=registry,
)


def collect_all() -> Iterable[Metric]:
    """The metrics of all processes of this host."""
    return prometheus_multiprocess.collect(registry)
