"""The nightly purge, a Celery task."""

import time
from collections.abc import Iterator
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from applications.models import Application
from infra.jobs import JobIsRunning
from infra.logs import Event, get_logger
from infra.natural_keys import batches_by_pk
from infra.redis_client import RedisUnavailable
from infra.worker_shutdown import MAX_SECONDS, must_end
from operations.schedule import ScheduledTask
from retention.purge import purge

logger = get_logger(__name__)

PAGE = 1000


class _Stopped(Exception):
    """The purge ran out of time or the worker shuts down; the next run continues."""


def purge_old() -> None:
    """Purge messages older than RETENTION_DAYS in all applications."""
    if not settings.ENVIRONMENT.retention_days:
        return
    close_old_connections()
    before = timezone.now() - timedelta(days=settings.ENVIRONMENT.retention_days)
    limit = time.monotonic() + MAX_SECONDS

    def on_progress(_: int) -> None:
        if must_end(limit):
            raise _Stopped

    try:
        result = purge(_tokens(), before, on_progress)
    except (JobIsRunning, RedisUnavailable) as error:
        logger.warning(Event.PURGE_ENDED, error=error)
    except _Stopped:
        logger.warning(Event.PURGE_ENDED)
    else:
        logger.info(Event.PURGE_DONE, **vars(result))


def _tokens() -> Iterator[str]:
    """The tokens of all applications, read in pages."""
    for page in batches_by_pk(Application.objects.only("token"), PAGE):
        yield from (application.token for application in page)


# Celery beat of the previous release sends the second name. The next release removes it.
for _name in ("retention.tasks.purge_old", "messages_app.tasks.purge_old"):
    shared_task(name=_name, base=ScheduledTask)(purge_old)
