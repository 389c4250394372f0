"""The operators' dashboard in the admin: what the samples of the last hour say, and the schedule.

It needs the database alone and asks no service, since it is read when something is down: how the
services are is what the last sample saw of them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone

from chatsystem.history import SHOWN, plots, recent_samples
from chatsystem.models import Sample
from chatsystem.sampler import EVERY_SECONDS
from chatsystem.schedule import scheduled
from core.admin.sessions import asked_by_a_page
from core.counts import JOB as COUNT_JOB
from core.models import Job

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
    answer = render(request, "chatsystem/admin/dashboard.html", context)
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
        "shown": [(now - SHOWN).isoformat(), now.isoformat()],
        "plots": [plot.as_object() for plot in plots(samples)],
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
