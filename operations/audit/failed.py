"""What the broker has set aside, and nobody has taken over into the dead letters yet."""

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from infra.models import Job
from infra.rabbitmq.connection import messages_waiting
from infra.rabbitmq.queues import FAILED
from ingest.dead_letters.consumer import CONSUME_JOB
from operations.audit.checks import Walk
from operations.audit.findings import Finding, error, info

#: It is done each minute.
LATE = timedelta(minutes=3)


def failed_messages(walk: Walk) -> Iterator[Finding]:
    """Messages in the queue of the failed. Raises BrokerAway."""
    walk.pause()
    waiting = messages_waiting(FAILED)
    if not waiting:
        return
    what = f"{waiting} messages in the queue {FAILED}"
    if Job.objects.filter(name=CONSUME_JOB, finished_at__gt=timezone.now() - LATE).exists():
        yield info("dead_letters", (), f"{what}, to be taken over within a minute")
    else:
        yield error("dead_letters", (), f"{what}, and nobody takes them over: is beat running?")
