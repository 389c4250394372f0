"""Background jobs of which one run at a time is allowed in the whole installation.

A run renews its hold every few seconds; if it stops doing so, the next run may start. Run numbers
increase, so the two runs cannot mistake each other's writes for their own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from infra.errors import Unavailable
from infra.models import Job

#: A run that has not renewed its hold for this long is overtaken.
HOLD = timedelta(seconds=60)


class JobIsRunning(Unavailable):
    """Another run of the job is running."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Another run of {name} is under way.", retry_after=int(HOLD.seconds))


@dataclass
class Run:
    """A run that holds its job; `outcome` is stored as the result of the job."""

    name: str
    number: int
    outcome: dict[str, object] = field(default_factory=dict)
    _renewed: datetime = field(default_factory=timezone.now)

    def still_alive(self) -> None:
        """Renew the hold; call this at least every minute. Raises JobIsRunning if overtaken."""
        now = timezone.now()
        if now - self._renewed < HOLD / 6:
            return
        if not self._mine().update(held_until=now + HOLD):
            raise JobIsRunning(self.name)
        self._renewed = now

    def save_outcome(self) -> None:
        """Store the current outcome, so that another run can continue from it."""
        self._mine().update(outcome=self.outcome)

    def finish(self) -> None:
        """Release the job and store the outcome."""
        self._mine().update(held_until=None, finished_at=timezone.now(), outcome=self.outcome)

    def release(self) -> None:
        """Release the job without an outcome, so that the next run can begin at once."""
        self._mine().update(held_until=None)

    def _mine(self) -> "QuerySet[Job]":
        return Job.objects.filter(name=self.name, run=self.number)


@contextmanager
def only_run(name: str) -> Iterator[Run]:
    """Hold the job for the block. Raises JobIsRunning if another run holds it."""
    run = Run(name, _acquire(name))
    try:
        yield run
        run.finish()
    except BaseException:
        run.release()
        raise


def last_outcome(name: str) -> dict[str, Any]:
    """The stored outcome of the job; empty if there is none."""
    return dict(Job.objects.filter(name=name).values_list("outcome", flat=True).first() or {})


def _acquire(name: str) -> int:
    now = timezone.now()
    Job.objects.get_or_create(name=name)
    with transaction.atomic():
        free = Q(held_until=None) | Q(held_until__lt=now)
        taken = Job.objects.filter(free, name=name).update(
            run=F("run") + 1, held_until=now + HOLD, started_at=now
        )
        if not taken:
            raise JobIsRunning(name)
        return Job.objects.values_list("run", flat=True).get(name=name)
