"""The beat schedule, and whether it is kept: each task says when it has run, in the database.

The schedule is part of what is promised (counts within the hour, sweeps each minute), so it is code
and no table that somebody edits. A task that always fails has not run, so it is late like one that
beat does not send or that no worker takes.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from celery.schedules import crontab
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from infra.logs import Event, get_logger
from operations.models import ScheduledRun

logger = get_logger(__name__)

#: A task that is this many intervals behind is late, though never sooner than after so long.
MISSED = 3
PATIENCE = timedelta(minutes=3)
#: A task that runs all the time says so no more often.
_NOTED_EVERY_SECONDS = 5.0

#: Who has just been started cannot know that nothing ran while nobody was there to run it.
_watching_since = timezone.now()
_noted_at: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class Scheduled:
    """An entry of the schedule, and how it is kept. `ran_at` is None where it never ran."""

    name: str
    task: str
    every: str
    ran_at: datetime | None
    late_by: timedelta

    @property
    def is_late(self) -> bool:
        """Whether it should have run several times since it did."""
        return self.late_by > timedelta()


def note_run(task: str) -> None:
    """The task has come to its end; of no concern unless it is scheduled."""
    if task not in _tasks():
        return
    now = time.monotonic()
    if now - _noted_at.get(task, float("-inf")) < _NOTED_EVERY_SECONDS:
        return
    try:
        ScheduledRun.objects.update_or_create(task=task, defaults={"ran_at": timezone.now()})
        _noted_at[task] = now
    except (DatabaseError, InterfaceError) as error:
        logger.warning(Event.RUN_UNNOTED, task=task, error=error)


def scheduled() -> list[Scheduled]:
    """All of the schedule. Raises errors of the database."""
    ran_at = dict(ScheduledRun.objects.values_list("task", "ran_at"))
    return [
        _scheduled(name, entry, ran_at.get(entry["task"]))
        for name, entry in settings.CELERY_BEAT_SCHEDULE.items()
    ]


def _scheduled(name: str, entry: Mapping[str, Any], ran_at: datetime | None) -> Scheduled:
    known = max(filter(None, (ran_at, _watching_since)))
    late_by = timezone.now() - _too_late(entry["schedule"], known)
    return Scheduled(
        name=name,
        task=entry["task"],
        every=_shown(entry["schedule"]),
        ran_at=ran_at,
        late_by=max(late_by, timedelta()),
    )


def _too_late(when: float | crontab, ran_at: datetime) -> datetime:
    """From when on it is late, if it ran then and never again."""
    due = ran_at
    for _ in range(MISSED):
        due = _due_after(when, due)
    return max(due, ran_at + PATIENCE)


def _due_after(when: float | crontab, ran_at: datetime) -> datetime:
    if isinstance(when, crontab):
        began, wait, _ = when.remaining_delta(ran_at)
        due: datetime = began + wait
        return due
    return ran_at + timedelta(seconds=when)


def _shown(when: float | crontab) -> str:
    if isinstance(when, crontab):
        five_fields = str(when).partition(": ")[2].partition(" (")[0]
        return f"cron {five_fields}, UTC"
    return f"every {when:g} s"


def _tasks() -> set[str]:
    return {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
