"""The scheduled work of this layer."""

import time
from collections.abc import Iterator
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from applications.models import Application
from core import ending
from core.jobs import JobIsRunning
from core.logs import Event, get_logger
from core.redis.guard import NoRedis
from messages_app.purging.running import purge

logger = get_logger(__name__)

#: The broker takes back what nobody acknowledges for half an hour.
LIMIT_SECONDS = 20 * 60
PAGE = 1000


class _Enough(Exception):
    """The next run goes on."""


@shared_task
def purge_old() -> None:
    """Each night: what is older than RETENTION_DAYS goes, in all applications."""
    if not settings.ENVIRONMENT.retention_days:
        return
    close_old_connections()
    before = timezone.now() - timedelta(days=settings.ENVIRONMENT.retention_days)
    limit = time.monotonic() + LIMIT_SECONDS

    def notice(_: int) -> None:
        if time.monotonic() > limit or ending.wait(0):
            raise _Enough

    try:
        purged = purge(_tokens(), before, notice)
    except (JobIsRunning, NoRedis) as error:
        logger.warning(Event.PURGE_ENDED, error=error)
    except _Enough:
        logger.warning(Event.PURGE_ENDED)
    else:
        logger.info(Event.PURGE_DONE, **vars(purged))


def _tokens() -> Iterator[str]:
    """Those of all applications, page by page."""
    last = 0
    rows = Application.objects.order_by("pk").values_list("pk", "token")
    while page := list(rows.filter(pk__gt=last)[:PAGE]):
        yield from (token for _, token in page)
        last = page[-1][0]
