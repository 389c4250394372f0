"""Samples as series: rates from counters, and gauges as they were."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from chatsystem.models import Sample
from chatsystem.sampler import EVERY_SECONDS, Figures

SHOWN = timedelta(hours=1)
_EVERY = timedelta(seconds=EVERY_SECONDS)
#: Further apart, nobody knows what was between: more than one sample is missing.
_GAP = 3 * _EVERY

Points = Mapping[datetime, float]


@dataclass
class Plot:
    """Lines over the same time: by their names, values by instant."""

    title: str
    unit: str
    lines: dict[str, Points] = field(default_factory=dict)

    def as_object(self) -> dict[str, Any]:
        """For the script that draws it."""
        lines = [_line(name, points) for name, points in self.lines.items()]
        return {"title": self.title, "unit": self.unit, "lines": lines}


def _line(name: str, points: Points) -> dict[str, Any]:
    """Where nothing was sampled the line is broken by a point without a value."""
    at: list[datetime] = []
    values: list[float | None] = []
    for instant, value in points.items():
        if at and instant - at[-1] > _GAP:
            at.append(at[-1] + _EVERY)
            values.append(None)
        at.append(instant)
        values.append(value)
    return {"name": name, "x": [instant.isoformat() for instant in at], "y": values}


def recent_samples(now: datetime) -> Sequence[Sample]:
    """Those of the last hour, from all hosts, the oldest first."""
    return list(Sample.objects.filter(instant__range=(now - SHOWN, now)).order_by("instant"))


def plots(samples: Sequence[Sample]) -> list[Plot]:
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
            if apart <= _GAP:
                rates[after.instant] += _gained(before.figures, after.figures, name) / (
                    apart.total_seconds()
                )
    return dict(sorted(rates.items()))


def _gained(before: Figures, after: Figures, name: str) -> float:
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
