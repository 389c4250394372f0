"""Samples as series: rates from counters, and gauges as they were.

The operators' dashboard in the admin: what the samples of the last hour say, and the schedule.

It needs the database alone and asks no service, since it is read when something is down: how the
services are is what the last sample saw of them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone

from infra.models import Job
from operations.admin.sessions import asked_by_a_page
from operations.counts import COUNT_JOB
from operations.models import Sample
from operations.sampler import EVERY_SECONDS, Figures
from operations.schedule import scheduled

SHOWN_PERIOD = timedelta(hours=1)
_SAMPLE_INTERVAL = timedelta(seconds=EVERY_SECONDS)
#: Further apart, nobody knows what was between: more than one sample is missing.
_LONGEST_GAP = 3 * _SAMPLE_INTERVAL

Points = Mapping[datetime, float]


@dataclass
class Plot:
    """Lines over the same time: by their names, values by instant."""

    title: str
    unit: str
    lines: dict[str, Points] = field(default_factory=dict)

    def as_object(self) -> dict[str, Any]:
        """For the script that draws it."""
        lines = [_plot_line(name, points) for name, points in self.lines.items()]
        return {"title": self.title, "unit": self.unit, "lines": lines}


def _plot_line(name: str, points: Points) -> dict[str, Any]:
    """Where nothing was sampled the line is broken by a point without a value."""
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
    """Those of the last hour, from all hosts, the oldest first."""
    return list(Sample.objects.filter(instant__range=(now - SHOWN_PERIOD, now)).order_by("instant"))


def build_plots(samples: Sequence[Sample]) -> list[Plot]:
    """All that the dashboard draws."""
    return [
        Plot(
            "Rows accepted, and rows stored by workers and sweeper",
            "rows/s",
            {
                "accepted": _rate(samples, "chatsystem_rows_accepted_total"),
                "stored": _rate(samples, "chatsystem_rows_stored_total"),
            },
        ),
        Plot("Queues", "messages", _by_label(samples, "chatsystem_queue_messages")),
        Plot("Pending rows", "", {"pending": _gauge(samples, "chatsystem_pending_rows")}),
        Plot(
            "Age of the oldest",
            "s",
            {
                "pending row": _gauge(samples, "chatsystem_pending_age_seconds"),
                "change to be indexed": _gauge(samples, "chatsystem_index_backlog_age_seconds"),
            },
        ),
        Plot(
            "Changes to be indexed",
            "",
            {"backlog": _gauge(samples, "chatsystem_index_backlog_entries")},
        ),
        Plot(
            "Dead letters",
            "",
            {"set aside": _gauge(samples, "chatsystem_dead_letters")},
        ),
        Plot("Duration of jobs", "s", _by_label(samples, "chatsystem_job_duration_seconds")),
        Plot("Processes with an open breaker", "", _by_label(samples, "chatsystem_breaker_open")),
    ]


def _rate(samples: Sequence[Sample], name: str) -> Points:
    """Per second, of all hosts together."""
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
    # A counter that fell was begun anew.
    return new - old if new >= old else new


def _gauge(samples: Iterable[Sample], name: str) -> Points:
    return _points(samples, lambda figures: figures.get(name, {}).get(""))


def _by_label(samples: Sequence[Sample], name: str) -> dict[str, Points]:
    labels = {label: None for sample in samples for label in sample.figures.get(name, {})}
    return {label: _points(samples, _of_label(name, label)) for label in sorted(labels)}


def _of_label(name: str, label: str) -> Callable[[Figures], float | None]:
    return lambda figures: figures.get(name, {}).get(label)


def _points(samples: Iterable[Sample], value: Callable[[Figures], float | None]) -> Points:
    """What the hosts saw at each instant; the largest, where they saw different things."""
    points: dict[datetime, float] = {}
    for sample in samples:
        found = value(sample.figures)
        if found is not None:
            points[sample.instant] = max(found, points.get(sample.instant, found))
    return points


#: The script is the service's own; plotly gives its elements styles.
_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
#: What was seen longer ago says nothing of now.
_FRESH = timedelta(seconds=6 * EVERY_SECONDS)


def page(request: HttpRequest) -> HttpResponse:
    """The page, which asks for its data by itself, again and again."""
    context = {**admin.site.each_context(request), "title": "Dashboard", "seconds": EVERY_SECONDS}
    answer = render(request, "operations/admin/dashboard.html", context)
    answer["Content-Security-Policy"] = _POLICY
    return answer


@asked_by_a_page
def data(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - Django's signature
    """All that the page shows, as JSON."""
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


def _services(samples: Sequence[Sample], now: datetime) -> list[list[str]]:
    """Each service, whether it answered the last sample, and how many processes avoid it."""
    if not samples or now - samples[-1].instant > _FRESH:
        return []
    figures = samples[-1].figures
    breakers = figures.get("chatsystem_breaker_open", {})
    return [
        [
            service,
            "up" if is_up else "down",
            _open(breakers[service]) if service in breakers else "",
        ]
        for service, is_up in sorted(figures.get("chatsystem_up", {}).items())
    ]


def _open(processes: float) -> str:
    return f"open in {processes:.0f} processes" if processes else "closed"


def _count_job() -> list[list[str]]:
    job = Job.objects.filter(name=COUNT_JOB).exclude(finished_at=None).first()
    if job is None or job.finished_at is None or job.started_at is None:
        return []
    seconds = (job.finished_at - job.started_at).total_seconds()
    # While another run is under way, how long this one took is not known any more.
    took = f"{seconds:.1f} s" if seconds >= 0 else "another run is under way"
    done = [
        f"{count}: {tally['counted']} counted, {tally['corrected']} corrected"
        for count, tally in job.outcome.items()
    ]
    return [[_shown(job.finished_at), took, "; ".join(done)]]


def _schedule() -> list[list[str]]:
    return [
        [
            one.name,
            one.every,
            _shown(one.ran_at) if one.ran_at else "not yet",
            f"late by {one.late_by.total_seconds():.0f} s" if one.is_late else "in time",
        ]
        for one in scheduled()
    ]


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
