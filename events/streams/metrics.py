"""Metrics of streams."""

from prometheus_client import Counter, Gauge, Histogram

from infra.metrics import SECONDS, registry

OPEN = Gauge(
    "chatsystem_streams",
    "Open streams of events.",
    multiprocess_mode="livesum",
    registry=registry,
)
CONGESTED = Gauge(
    "chatsystem_streams_congested",
    "Streams whose clients take frames more slowly than they are written.",
    multiprocess_mode="livesum",
    registry=registry,
)
FRAMES = Counter(
    "chatsystem_stream_frames",
    "Frames sent: each event of each stream.",
    registry=registry,
)
LAG_SECONDS = Histogram(
    "chatsystem_stream_lag_seconds",
    "Time from the storing of an event to its frame, for the first event of each read.",
    buckets=SECONDS,
    registry=registry,
)
RESUMED = Counter(
    "chatsystem_streams_resumed",
    "Streams that began at a place that the client named.",
    registry=registry,
)
ENDED = Counter(
    "chatsystem_streams_ended",
    "Ended streams: closed by the client or with the process, at their time, because the client "
    "took nothing (stalled), or because the key or token is not valid any more (access).",
    ("reason",),
    registry=registry,
)
