"""Nobody may give numbers meanwhile, and what was queued must be in the tables."""

import time
from collections.abc import Callable

from django.utils import timezone

from core.broker.depth import waiting_in
from core.errors import Unavailable
from core.numbering.keeper import FRESH
from core.numbering.models import NumberingProcess
from core.rows import kinds
from core.timeouts import RESTORE_QUIET_SECONDS, WORKER_HOLDS_SECONDS

_LOOK_EVERY_SECONDS = 0.2


class StillInUse(Unavailable):
    """Something goes on that must have ended before."""


def await_quiet() -> None:
    """Return when no process gives numbers and nothing is queued.

    Raises StillInUse, after a while, and BrokerAway.
    """
    _await(
        lambda: not _somebody_numbers(),
        "A process still gives numbers: stop all web servers and imports first.",
    )
    _await(
        lambda: not waiting_in(*kinds()),
        "Rows wait in the queues: let the workers store them first, and run this again.",
    )
    # What a worker has taken and not stored yet is in no queue.
    time.sleep(WORKER_HOLDS_SECONDS)


def _somebody_numbers() -> bool:
    return NumberingProcess.objects.filter(seen_at__gt=timezone.now() - FRESH).exists()


def _await(condition: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + RESTORE_QUIET_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise StillInUse(otherwise)
        time.sleep(_LOOK_EVERY_SECONDS)
