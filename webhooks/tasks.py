"""The Celery task that delivers to webhooks: woken after commits, and by beat."""

from celery import shared_task
from django.db import InterfaceError, OperationalError, close_old_connections

from infra import worker_shutdown
from infra.logs import Event, get_logger
from infra.timeouts import WEBHOOK_TASK_KILL_SECONDS, WEBHOOK_TASK_SECONDS
from operations.schedule import ScheduledTask

logger = get_logger(__name__)

#: Pause after a failure, so that frequent wake-ups do not hammer an unavailable database.
PAUSE_SECONDS = 1.0


@shared_task(
    name="webhooks.tasks.deliver",
    base=ScheduledTask,
    soft_time_limit=WEBHOOK_TASK_SECONDS,
    time_limit=WEBHOOK_TASK_KILL_SECONDS,
)
def deliver() -> None:
    """Deliver what is due; after a failure the next wake-up tries again."""
    from webhooks.runner import run  # noqa: PLC0415 - see webhooks.runner

    close_old_connections()
    try:
        run()
    except (OperationalError, InterfaceError) as error:
        logger.warning(Event.WEBHOOKS_WAIT, error=error)
        worker_shutdown.wait_for_shutdown(PAUSE_SECONDS)
