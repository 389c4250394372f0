"""What the broker has set aside, and nobody has taken over into the dead letters yet."""

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from core.accept.failed import JOB
from core.audit.checks import Walk
from core.audit.findings import Finding, error, info
from core.broker.depth import waiting_in
from core.broker.queues import FAILED
from core.models import Job

#: It is done each minute.
LATE = timedelta(minutes=3)


def failed_messages(walk: Walk) -> Iterator[Finding]:
    """Messages in the queue of the failed. Raises BrokerAway."""
    walk.pause()
    waiting = waiting_in(FAILED)
    if not waiting:
        return
    what = f"{waiting} messages in the queue {FAILED}"
    if Job.objects.filter(name=JOB, finished_at__gt=timezone.now() - LATE).exists():
        yield info("dead_letters", (), f"{what}, to be taken over within a minute")
    else:
        yield error("dead_letters", (), f"{what}, and nobody takes them over: is beat running?")
