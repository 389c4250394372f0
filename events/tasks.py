"""The nightly removal of old events, a Celery task."""

import time
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from events.removal import remove_before
from infra.logs import Event, get_logger
from infra.worker_shutdown import MAX_SECONDS, must_end
from operations.schedule import ScheduledTask

logger = get_logger(__name__)


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
        if must_end(limit):
            break
    logger.info(Event.EVENTS_REMOVED, events=removed)
