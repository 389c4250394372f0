"""The operators' dashboard in the admin: plots of the last hour, services, and the schedule.

Plots show samples (operations.sampler): counters as rates, gauges as they were. The dashboard needs
only the database and calls no other service, because it is used when something is down; the state
of the services is that of the last sample.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone

from infra.models import Job
from operations.admin.sessions import polled
from operations.counts import COUNT_JOB
from operations.models import Sample
from operations.sampler import EVERY_SECONDS, Figures
from operations.schedule import scheduled

SHOWN_PERIOD = timedelta(hours=1)
_SAMPLE_INTERVAL = timedelta(seconds=EVERY_SECONDS)
#: A longer gap, of more than one missing sample, breaks the line.
_LONGEST_GAP = 3 * _SAMPLE_INTERVAL

#: The dashboard's own script is allowed; plotly sets styles on its elements.
_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
#: An older sample does not show the current state of the services.
_FRESH = timedelta(seconds=6 * EVERY_SECONDS)

Points = Mapping[datetime, float]


def page(request: HttpRequest) -> HttpResponse:
    """The page; its script fetches the data every ten seconds."""
    context = {**admin.site.each_context(request), "title": "Dashboard", "seconds": EVERY_SECONDS}
    answer = render(request, "operations/admin/dashboard.html", context)
    answer["Content-Security-Policy"] = _POLICY
    return answer


@polled
def data(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - Django's signature
    """The data of the page as JSON."""
    now = timezone.now()
    samples = recent_samples(now)
    answer = JsonResponse({
        "services": _services(samples, now),
        "count_job": _count_job(),
        "schedule": _schedule(),
        "shown": [(now - SHOWN_PERIOD).isoformat(), now.isoformat()],
        "plots": [plot.as_object() for plot in build_plots(samples)],
    })  # fmt: skip
    answer["Cache-Control"] = "no-store"
    return answer


@dataclass
class Plot:
    """A plot with one or more lines: points by the name of the line."""

    title: str
    unit: str
    lines: dict[str, Points]

    def as_object(self) -> dict[str, Any]:
        """The plot as JSON for the script."""
        lines = [_plot_line(name, points) for name, points in self.lines.items()]
        return {"title": self.title, "unit": self.unit, "lines": lines}


def _plot_line(name: str, points: Points) -> dict[str, Any]:
    """A line; a point without a value breaks it where samples are missing."""
    at: list[datetime] = []
    values: list[float | None] = []
    for instant, value in points.items():
        if at and instant - at[-1] > _LONGEST_GAP:
            at.append(at[-1] + _SAMPLE_INTERVAL)
            values.append(None)
        at.append(instant)
        values.append(value)
    return {"name": name, "x": [instant.isoformat() for instant in at], "y": values}


def recent_samples(now: datetime) -> Sequence[Sample]:
    """The samples of the last hour from all hosts, oldest first."""
    return list(Sample.objects.filter(instant__range=(now - SHOWN_PERIOD, now)).order_by("instant"))


#: Title, unit, and the metric of each line, or one metric with a line for each of its labels.
_PLOTS: Sequence[tuple[str, str, str | Mapping[str, str]]] = (
    (
        "Rows accepted, and rows stored by workers and sweeper",
        "rows/s",
        {"accepted": "chatsystem_rows_accepted_total", "stored": "chatsystem_rows_stored_total"},
    ),
    ("Queues", "messages", "chatsystem_queue_messages"),
    ("Pending rows", "", {"pending": "chatsystem_pending_rows"}),
    (
        "Age of the oldest",
        "s",
        {
            "pending row": "chatsystem_pending_age_seconds",
            "change waiting to be indexed": "chatsystem_index_backlog_age_seconds",
        },
    ),
    ("Changes waiting to be indexed", "", {"backlog": "chatsystem_index_backlog_entries"}),
    ("Dead letters", "", {"set aside": "chatsystem_dead_letters"}),
    ("Duration of jobs", "s", "chatsystem_job_duration_seconds"),
    ("Processes with an open breaker", "", "chatsystem_breaker_open"),
)


def build_plots(samples: Sequence[Sample]) -> list[Plot]:
    """All plots of the dashboard."""
    return [Plot(title, unit, _lines(samples, metrics)) for title, unit, metrics in _PLOTS]


def _lines(samples: Sequence[Sample], metrics: str | Mapping[str, str]) -> dict[str, Points]:
    if isinstance(metrics, str):
        labels = {label: None for sample in samples for label in sample.figures.get(metrics, {})}
        return {label: _gauge(samples, metrics, label) for label in sorted(labels)}
    return {
        line: _rate(samples, name) if name.endswith("_total") else _gauge(samples, name)
        for line, name in metrics.items()
    }


def _rate(samples: Sequence[Sample], name: str) -> Points:
    """The rate per second, summed over all hosts."""
    by_host: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_host[sample.host].append(sample)
    rates: defaultdict[datetime, float] = defaultdict(float)
    for of_host in by_host.values():
        for before, after in pairwise(of_host):
            apart = after.instant - before.instant
            if apart <= _LONGEST_GAP:
                rates[after.instant] += _increase(before.figures, after.figures, name) / (
                    apart.total_seconds()
                )
    return dict(sorted(rates.items()))


def _increase(before: Figures, after: Figures, name: str) -> float:
    old, new = (sum(figures.get(name, {}).values()) for figures in (before, after))
    # A counter that fell was reset.
    return new - old if new >= old else new


def _gauge(samples: Iterable[Sample], name: str, label: str = "") -> Points:
    """The value at each instant; the largest one if the hosts differ."""
    points: dict[datetime, float] = {}
    for sample in samples:
        found = sample.figures.get(name, {}).get(label)
        if found is not None:
            points[sample.instant] = max(found, points.get(sample.instant, found))
    return points


def _services(samples: Sequence[Sample], now: datetime) -> list[list[str]]:
    """Each service: its name, its state in the last sample, and its breaker."""
    if not samples or now - samples[-1].instant > _FRESH:
        return []
    figures = samples[-1].figures
    breakers = figures.get("chatsystem_breaker_open", {})
    return [
        [
            service,
            "up" if is_up else "down",
            _breaker_text(breakers[service]) if service in breakers else "",
        ]
        for service, is_up in sorted(figures.get("chatsystem_up", {}).items())
    ]


def _breaker_text(processes: float) -> str:
    return f"open in {processes:.0f} processes" if processes else "closed"


def _count_job() -> list[list[str]]:
    job = Job.objects.filter(name=COUNT_JOB).exclude(finished_at=None).first()
    if job is None or job.finished_at is None or job.started_at is None:
        return []
    seconds = (job.finished_at - job.started_at).total_seconds()
    # While another run is running, started_at is already its start.
    took = f"{seconds:.1f} s" if seconds >= 0 else "another run is running"
    done = [
        f"{count}: {tally['counted']} counted, {tally['corrected']} corrected"
        for count, tally in job.outcome.items()
    ]
    return [[_time_text(job.finished_at), took, "; ".join(done)]]


def _schedule() -> list[list[str]]:
    return [
        [
            one.name,
            one.every,
            _time_text(one.ran_at) if one.ran_at else "not yet",
            f"late by {one.late_by.total_seconds():.0f} s" if one.is_late else "on time",
        ]
        for one in scheduled()
    ]


def _time_text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
