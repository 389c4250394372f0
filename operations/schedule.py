"""The beat schedule, and which tasks are late. Each scheduled task records its runs in a table.

The schedule is part of the guarantees (counts within the hour, sweeps every minute), so it is code
and not an editable table. Only a run without an error is recorded, so a task that always fails is
late like a task that beat does not send or no worker takes.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from celery import Task
from celery.schedules import crontab
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from infra.logs import Event, get_logger
from operations.models import ScheduledRun

logger = get_logger(__name__)

#: A task is late after this many intervals, but not before LATE_AFTER.
LATE_INTERVALS = 3
LATE_AFTER = timedelta(minutes=3)
#: Runs of a frequent task are recorded at most this often.
_NOTED_EVERY_SECONDS = 5.0

#: Lateness is counted from the start of this process: before it, the whole service may have been
#: stopped.
_watching_since = timezone.now()
_noted_at: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class Scheduled:
    """An entry of the schedule. `ran_at` is None if the task never ran."""

    name: str
    task: str
    every: str
    ran_at: datetime | None
    late_by: timedelta

    @property
    def is_late(self) -> bool:
        """Whether the task is late."""
        return self.late_by > timedelta()


class ScheduledTask(Task[Any, Any]):
    """The base of all scheduled tasks: a run that ends without an error is recorded.

    A run that fails is not repeated: the next run is its retry.
    """

    acks_on_failure = True
    acks_on_timeout = True

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        """Called by Celery in the worker."""
        note_run(self.name)


def note_run(task: str) -> None:
    """Record that the task ran now, if it is in the schedule."""
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
    """All entries of the schedule. Raises database errors."""
    ran_at = dict(ScheduledRun.objects.values_list("task", "ran_at"))
    return [
        _scheduled(name, entry, ran_at.get(entry["task"]))
        for name, entry in settings.CELERY_BEAT_SCHEDULE.items()
    ]


def _scheduled(name: str, entry: Mapping[str, Any], ran_at: datetime | None) -> Scheduled:
    known = max(filter(None, (ran_at, _watching_since)))
    late_by = timezone.now() - _late_from(entry["schedule"], known)
    return Scheduled(
        name=name,
        task=entry["task"],
        every=_interval_text(entry["schedule"]),
        ran_at=ran_at,
        late_by=max(late_by, timedelta()),
    )


def _late_from(when: float | crontab, ran_at: datetime) -> datetime:
    """When the task becomes late if it does not run again."""
    due = ran_at
    for _ in range(LATE_INTERVALS):
        due = _due_after(when, due)
    return max(due, ran_at + LATE_AFTER)


def _due_after(when: float | crontab, ran_at: datetime) -> datetime:
    if isinstance(when, crontab):
        began, wait, _ = when.remaining_delta(ran_at)
        due: datetime = began + wait
        return due
    return ran_at + timedelta(seconds=when)


def _interval_text(when: float | crontab) -> str:
    if isinstance(when, crontab):
        five_fields = str(when).partition(": ")[2].partition(" (")[0]
        return f"cron {five_fields}, UTC"
    return f"every {when:g} s"


def _tasks() -> set[str]:
    return {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
