"""All counters and histograms of the service.

Each process counts for itself (see infra.prometheus_multiprocess), and counts groups or batches
where that says as much as requests or rows. What the database or another service knows is not
counted here: operations.gauges reads it when the metrics are requested.
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
    "Requests with a response.",
    ("method", "route", "status"),
    registry=registry,
)
REQUEST_SECONDS = Counter(
    "chatsystem_http_request_seconds",
    "Time from the arrival of each request at the application to its response, in total.",
    ("method", "route"),
    registry=registry,
)

CONNECTIONS = Gauge(
    "chatsystem_http_connections",
    "Open connections of clients.",
    multiprocess_mode="livesum",
    registry=registry,
)
EDGE_REFUSED = Counter(
    "chatsystem_http_refused",
    "Clients refused before any view ran: too many connections, too much memory in use, no free "
    "thread in time, or a request that arrived too slowly.",
    ("bound",),
    registry=registry,
)

ACCEPT_SECONDS = Histogram(
    "chatsystem_accept_step_seconds",
    "One step of accepting a group: redis (numbered by Redis), publish (confirmed by the queue), "
    "insert (stored while the queue is unavailable), database (numbered and stored there).",
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
    "Messages published to the queues: confirmed by the broker, or failed.",
    ("outcome",),
    registry=registry,
)
LEASES = Counter(
    "chatsystem_leases",
    "Leases of numbers for Redis: acquired, or not renewed when a block ran low.",
    ("outcome",),
    registry=registry,
)

STORED = Counter(
    "chatsystem_rows_stored",
    "Queued rows stored by worker or sweeper, including rows that were stored already.",
    ("by",),
    registry=registry,
)
BATCH_ROWS = Histogram(
    "chatsystem_drain_batch_rows",
    "Rows in one batch of a worker.",
    buckets=(*_ROWS, 2000),
    registry=registry,
)
BATCH_SECONDS = Histogram(
    "chatsystem_drain_batch_seconds",
    "Time to store one batch, including waits for the database.",
    buckets=_SECONDS,
    registry=registry,
)
SET_ASIDE = Counter(
    "chatsystem_dead_letters_set_aside",
    "Dead letters: rows and messages that could not be stored, read or indexed.",
    ("kind",),
    registry=registry,
)
# A series must exist before its first event, or no rate shows that event.
for _kind in ("chats", "messages", "search", "message"):
    SET_ASIDE.labels(_kind)
INDEXED = Counter(
    "chatsystem_messages_indexed",
    "Messages written to the search index.",
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
