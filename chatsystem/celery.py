"""The Celery application; its settings are the `CELERY_` names of chatsystem.settings."""

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import (
    beat_init,
    celeryd_after_setup,
    celeryd_init,
    import_modules,
    setup_logging,
    task_failure,
)

from infra.logs import Event, get_logger

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsystem.settings")

logger = get_logger(__name__)

#: Added to the niceness of workers (nice(2)): a web process weighs three times as much.
WORKER_NICENESS = 5


@import_modules.connect
def count_with_the_others(**_: Any) -> None:
    """Let workers and beat count in the host's metrics.

    Connected before the application is created, since that connects Django's set-up.
    """
    from infra.prometheus_multiprocess import use_shared_directory  # noqa: PLC0415 - reads the settings

    use_shared_directory()


app = Celery("chatsystem")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_logging(**_: Any) -> None:
    """Keep the logging of the settings: with a receiver here Celery does not configure its own."""


@task_failure.connect
def note_failure(sender: Any, exception: BaseException, **_: Any) -> None:
    """Log and count a failed task. Celery's own line would quote the error, and so a client."""
    from infra.metrics import TASKS_FAILED  # noqa: PLC0415 - reads the settings

    TASKS_FAILED.labels(sender.name).inc()
    logger.error(Event.TASK_FAILED, task=sender.name, exc_info=exception)


@celeryd_init.connect
@beat_init.connect
def check_before_start(**_: Any) -> None:
    """Refuse to start a worker or beat that could not work."""
    from chatsystem.preflight import preflight  # noqa: PLC0415 - needs the apps to be loaded

    preflight()


@celeryd_after_setup.connect
def give_way(**_: Any) -> None:
    """Let web processes on the same processors go first: a client waits, a queue can.

    Otherwise a full batch holds up the requests of that moment.
    """
    os.nice(WORKER_NICENESS)


@celeryd_after_setup.connect
def share_what_is_loaded(**_: Any) -> None:
    """Freeze loaded objects, so that garbage collection in children does not copy their pages."""
    gc.collect()
    gc.freeze()
