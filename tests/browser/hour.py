"""One hour of dashboard samples, written as if by a running site.

Run in a process of the site. The samples use the site's name and reach two minutes ahead, so the
site takes none of its own meanwhile.
"""

import math
from collections.abc import Iterator
from datetime import timedelta
from random import Random

from django.utils import timezone

from infra.prometheus_multiprocess import identity_of, shared_directory, use_shared_directory
from operations.counts import COUNT_JOB, reconcile
from operations.models import Sample
from operations.sampler import EVERY_SECONDS, Figures

BEFORE = timedelta(hours=1)
AFTER = timedelta(minutes=2)
_EVERY = timedelta(seconds=EVERY_SECONDS)
#: Steps of the hour: the web servers stand still, the workers lag, Redis is away.
_STILL = range(60, 84)
_LAG = range(150, 200)
_NO_REDIS = range(260, 276)
#: Jobs that have run at some time: the longest list of names below a plot.
_NIGHTLY = (
    *("audit", "purge", "search-build", "search-check"),
    *("remove-events", "take-over-failed", "hand_back_blocks"),
)


def write() -> None:
    """Replace the stored samples by the hour's, and run the count job."""
    now = timezone.now()
    first = now.replace(second=now.second // EVERY_SECONDS * EVERY_SECONDS, microsecond=0) - BEFORE
    steps = (BEFORE + AFTER) // _EVERY
    forget()
    use_shared_directory()
    directory = shared_directory()
    assert directory
    host = identity_of(directory)
    Sample.objects.bulk_create(
        Sample(host=host, instant=first + step * _EVERY, figures=figures)
        for step, figures in enumerate(_hour(steps))
        if step not in _STILL
    )
    reconcile()


def forget() -> None:
    """Delete all samples."""
    Sample.objects.all().delete()


def _hour(steps: int) -> Iterator[Figures]:
    draw = Random(17)
    accepted = stored = 0.0
    for step in range(steps):
        rate = 140 + 60 * math.sin(step / 40) + draw.uniform(-12, 12)
        accepted += rate * EVERY_SECONDS
        able = rate * (0.55 if step in _LAG else 1.6) * EVERY_SECONDS
        stored += min(accepted - stored, able)
        yield _figures(step, accepted, stored, draw)


def _figures(step: int, accepted: float, stored: float, draw: Random) -> Figures:
    waiting = accepted - stored
    has_redis = step not in _NO_REDIS
    figures: Figures = {
        "rows_accepted_total": {"queue": accepted},
        "rows_stored_total": {"worker": stored},
        "up": {"database": 1, "elasticsearch": 1, "rabbitmq": 1, "redis": has_redis},
        "breaker_open": {"redis": 0 if has_redis else 4, "rabbitmq": 0, "elasticsearch": 0},
        "queue_messages": {
            "chats": draw.randrange(3),
            "messages": waiting // 60,
            "search": draw.randrange(4),
            "maintenance": 0,
            "failed": 0,
        },
        "dead_letters": {"": 2 if step > 230 else 0},
        "index_backlog_entries": {"": waiting // 300 + draw.randrange(12)},
        "index_backlog_age_seconds": {"": waiting / 900 + draw.uniform(0.1, 1.2)},
        "job_duration_seconds": {
            COUNT_JOB: 7.4 if step < 220 else 6.1,
            "sweep": draw.uniform(0.05, 0.4),
            **dict.fromkeys(_NIGHTLY, 1.2),
        },
    }
    if has_redis:
        figures["pending_rows"] = {"": waiting + draw.randrange(30)}
        figures["pending_age_seconds"] = {"": waiting / 250 + draw.uniform(0.1, 0.8)}
    return {f"chatsystem_{name}": values for name, values in figures.items()}
