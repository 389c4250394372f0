"""The scheduled work of this layer."""

import time
from collections.abc import Iterator
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from applications.models import Application
from infra import worker_shutdown
from infra.jobs import JobIsRunning
from infra.logs import Event, get_logger
from infra.redis_client import RedisUnavailable
from operations.schedule import ScheduledTask
from retention.purge import purge

logger = get_logger(__name__)

#: The broker takes back what nobody acknowledges for half an hour.
LIMIT_SECONDS = 20 * 60
PAGE = 1000


class _Enough(Exception):
    """The next run goes on."""


def purge_old() -> None:
    """Each night: what is older than RETENTION_DAYS goes, in all applications."""
    if not settings.ENVIRONMENT.retention_days:
        return
    close_old_connections()
    before = timezone.now() - timedelta(days=settings.ENVIRONMENT.retention_days)
    limit = time.monotonic() + LIMIT_SECONDS

    def notice(_: int) -> None:
        if time.monotonic() > limit or worker_shutdown.wait_for_shutdown(0):
            raise _Enough

    try:
        purged = purge(_tokens(), before, notice)
    except (JobIsRunning, RedisUnavailable) as error:
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


# Beat of the release before sends the task under the second name. The next release drops it.
for _name in ("retention.tasks.purge_old", "messages_app.tasks.purge_old"):
    shared_task(name=_name, base=ScheduledTask)(purge_old)
