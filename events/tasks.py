"""The nightly removal of old events, a Celery task."""

import time
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from events.removal import remove_before
from infra import worker_shutdown
from infra.logs import Event, get_logger
from operations.schedule import ScheduledTask

logger = get_logger(__name__)

#: Below half an hour: RabbitMQ redelivers a task that is not acknowledged within that time.
MAX_SECONDS = 20 * 60


@shared_task(name="events.tasks.remove_old", base=ScheduledTask)
def remove_old() -> None:
    """Remove events older than EVENTS_DAYS; a run that ends early is continued by the next one."""
    if not settings.ENVIRONMENT.events_days:
        return
    close_old_connections()
    before = timezone.now() - timedelta(days=settings.ENVIRONMENT.events_days)
    limit = time.monotonic() + MAX_SECONDS
    removed = 0
    for count in remove_before(before):
        removed += count
        if time.monotonic() > limit or worker_shutdown.wait_for_shutdown(0):
            break
    logger.info(Event.EVENTS_REMOVED, events=removed)
