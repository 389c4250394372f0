"""What the service counts of its own work, for operators: all of it is defined here.

Each process counts for itself (see infra.prometheus_multiprocess), per group or batch rather than
per request or row where that says as much. State that a service can tell is not counted here;
operations.gauges reads it when the metrics are requested.
"""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import CollectorRegistry

from infra import prometheus_multiprocess

prometheus_multiprocess.attach()
disable_created_metrics()

registry = CollectorRegistry()
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_ROWS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

REQUESTS = Counter(
    "chatsystem_http_requests",
    "Requests answered.",
    ("method", "route", "status"),
    registry=registry,
)
REQUEST_SECONDS = Counter(
    "chatsystem_http_request_seconds",
    "Time from a request's arrival at the application to its answer, added up.",
    ("method", "route"),
    registry=registry,
)

CONNECTIONS = Gauge(
    "chatsystem_http_connections",
    "Connections of clients that are open.",
    multiprocess_mode="livesum",
    registry=registry,
)
EDGE_REFUSED = Counter(
    "chatsystem_http_refused",
    "Clients refused before a view was asked: too many connections, too much memory held, no "
    "thread in time, or a request that arrived too slowly.",
    ("bound",),
    registry=registry,
)

ACCEPT_SECONDS = Histogram(
    "chatsystem_accept_step_seconds",
    "One step of accepting a group: redis numbers it, publish confirms it in its queue, insert "
    "stores it while the queue is unavailable, database numbers and stores it.",
    ("step",),
    buckets=_SECONDS,
    registry=registry,
)
GROUP_ROWS = Histogram(
    "chatsystem_accept_group_rows",
    "Rows of one group commit.",
    buckets=_ROWS,
    registry=registry,
)
ACCEPTED = Counter(
    "chatsystem_rows_accepted",
    "Rows accepted: queued, inserted while the queue is unavailable, or numbered by the database.",
    ("delivery",),
    registry=registry,
)
PUBLISHES = Counter(
    "chatsystem_publishes",
    "Messages for the queues: confirmed by the broker, or failed.",
    ("outcome",),
    registry=registry,
)
LEASES = Counter(
    "chatsystem_leases",
    "Runs of numbers for Redis: lent, or not renewed when a block ran low.",
    ("outcome",),
    registry=registry,
)

STORED = Counter(
    "chatsystem_rows_stored",
    "Rows that were queued and are stored now, by worker or sweeper; those stored before included.",
    ("by",),
    registry=registry,
)
BATCH_ROWS = Histogram(
    "chatsystem_drain_batch_rows",
    "Rows that a worker stored together.",
    buckets=(*_ROWS, 2000),
    registry=registry,
)
BATCH_SECONDS = Histogram(
    "chatsystem_drain_batch_seconds",
    "Time in which a worker stored a batch, waits for the database included.",
    buckets=_SECONDS,
    registry=registry,
)
SET_ASIDE = Counter(
    "chatsystem_dead_letters_set_aside",
    "What was set aside because it could not be stored, read or indexed.",
    ("kind",),
    registry=registry,
)
# Nobody sees the first of a series rise unless it was there before.
for _kind in ("chats", "messages", "search", "message"):
    SET_ASIDE.labels(_kind)
INDEXED = Counter(
    "chatsystem_messages_indexed",
    "Messages brought into the search index.",
    registry=registry,
)

TASKS_FAILED = Counter(
    "chatsystem_tasks_failed",
    "Runs of tasks that failed; of a scheduled one the next run does the work.",
    ("task",),
    registry=registry,
)

BREAKER_OPEN = Gauge(
    "chatsystem_breaker_open",
    "Processes that leave this service alone now, since it has failed.",
    ("service",),
    multiprocess_mode="livesum",
    registry=registry,
)
BREAKER_OPENED = Counter(
    "chatsystem_breaker_opened",
    "How often a process began to leave this service alone.",
    ("service",),
    registry=registry,
)


def collect_all() -> Iterable[Metric]:
    """All of these, as counted by all processes of this host."""
    return prometheus_multiprocess.collect(registry)
