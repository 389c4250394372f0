"""The work of the search worker, and the daily look at what it has done."""

from celery import shared_task
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections

from infra import worker_shutdown
from infra.jobs import JobIsRunning
from infra.logs import Event, get_logger
from operations.schedule import ScheduledTask
from search.errors import IndexUnusable

logger = get_logger(__name__)

#: Who cannot be reached is left alone for a moment, however often this is woken.
PAUSE_SECONDS = 1.0


@shared_task(base=ScheduledTask)
def index() -> None:
    """Bring the index in step with the table; what cannot be done now is done when woken again."""
    if not settings.ENVIRONMENT.elasticsearch_url:
        return
    from search.indexer import run_indexer  # noqa: PLC0415 - see search.index

    close_old_connections()
    try:
        run_indexer()
    except (IndexUnusable, JobIsRunning, OperationalError, InterfaceError) as error:
        logger.warning(Event.INDEX_WAITS, error=error)
        worker_shutdown.wait_for_shutdown(PAUSE_SECONDS)


@shared_task(base=ScheduledTask)
def check() -> None:
    """The daily light check: a sample of messages, looked up on both sides."""
    if not settings.ENVIRONMENT.elasticsearch_url:
        return
    from search.checking import StillBehind, check_sample  # noqa: PLC0415 - see search.index

    close_old_connections()
    try:
        differences = check_sample()
    except (IndexUnusable, StillBehind, JobIsRunning) as error:
        logger.error(Event.INDEX_UNCHECKED, error=error)  # noqa: TRY400
        return
    for difference in differences:
        logger.error(Event.INDEX_DIFFERS, key=difference.key, document=difference.kind)
