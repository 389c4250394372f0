"""One run of a background job at a time, in the whole installation, without a lock server.

A run holds its job by a row in the database and says every few seconds that it still lives; one
that stopped saying so is taken over. The number of the run is larger than that of any run before,
so what an overtaken run still writes can be told from the work of its successor.
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

HOLD = timedelta(seconds=60)


class JobIsRunning(Unavailable):
    """Another run holds this job."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Another run of {name} is under way.", retry_after=int(HOLD.seconds))


@dataclass
class Run:
    """A run that holds its job; `outcome` is kept as the job's last result."""

    name: str
    number: int
    outcome: dict[str, object] = field(default_factory=dict)
    _renewed: datetime = field(default_factory=timezone.now)

    def still_alive(self) -> None:
        """Hold on to the job; called at least each minute. Raises JobIsRunning if overtaken."""
        now = timezone.now()
        if now - self._renewed < HOLD / 6:
            return
        if not self._mine().update(held_until=now + HOLD):
            raise JobIsRunning(self.name)
        self._renewed = now

    def keep(self) -> None:
        """Keep the outcome as it is by now, for a run that goes on where this one is."""
        self._mine().update(outcome=self.outcome)

    def finish(self) -> None:
        """Let go of the job and keep the outcome."""
        self._mine().update(held_until=None, finished_at=timezone.now(), outcome=self.outcome)

    def let_go(self) -> None:
        """Let the next run begin at once, without an outcome of this one."""
        self._mine().update(held_until=None)

    def _mine(self) -> "QuerySet[Job]":
        return Job.objects.filter(name=self.name, run=self.number)


@contextmanager
def only_run(name: str) -> Iterator[Run]:
    """Hold the job while the block runs. Raises JobIsRunning when another run holds it."""
    run = Run(name, _acquire(name))
    try:
        yield run
        run.finish()
    except BaseException:
        run.let_go()
        raise


def last_outcome(name: str) -> dict[str, Any]:
    """What the last run of the job has kept; empty without any."""
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
