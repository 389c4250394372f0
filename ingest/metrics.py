"""Metrics of the way of a write: counted by groups or batches where that says enough."""

from prometheus_client import Counter, Histogram

from infra.metrics import SECONDS, registry

_ROWS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

ACCEPT_SECONDS = Histogram(
    "chatsystem_accept_step_seconds",
    "One step of accepting a group: redis (numbered by Redis), publish (confirmed by the queue), "
    "insert (stored while the queue is unavailable), database (numbered and stored there).",
    ("step",),
    buckets=SECONDS,
    registry=registry,
)
GROUP_ROWS = Histogram(
    "chatsystem_accept_group_rows", "Rows of one group commit.", buckets=_ROWS, registry=registry
)
ACCEPTED = Counter(
    "chatsystem_rows_accepted",
    "Rows accepted: queued, inserted while the queue is unavailable, or numbered by the database.",
    ("delivery",),
    registry=registry,
)
LEASES = Counter(
    "chatsystem_leases",
    "Leases of numbers for Redis: lent, not_renewed when a block ran low, or returned when idle.",
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
    buckets=SECONDS,
    registry=registry,
)
# Owners of kinds touch their series: it must exist before its first event, or no rate shows that.
SET_ASIDE = Counter(
    "chatsystem_dead_letters_set_aside",
    "Dead letters: rows and messages that could not be stored, read or indexed.",
    ("kind",),
    registry=registry,
)
