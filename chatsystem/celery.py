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


@import_modules.connect
def count_with_the_others(**_: Any) -> None:
    """Workers and beat add to the host's metrics.

    Connected before the application is made, since that connects what sets Django up.
    """
    from chatsystem.metrics_directory import use_shared_directory  # noqa: PLC0415 - reads the settings

    use_shared_directory()


app = Celery("chatsystem")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_logging(**_: Any) -> None:
    """The settings say what is logged and how; with a receiver here Celery leaves it at that."""


@task_failure.connect
def note_failure(sender: Any, exception: BaseException, **_: Any) -> None:
    """Log and count it. Celery's own line would quote the error, which may quote a client."""
    from infra.metrics import TASKS_FAILED  # noqa: PLC0415 - reads the settings

    TASKS_FAILED.labels(sender.name).inc()
    logger.error(Event.TASK_FAILED, task=sender.name, exc_info=exception)


@celeryd_init.connect
@beat_init.connect
def check_before_start(**_: Any) -> None:
    """A worker or beat that could do nothing does not start."""
    from chatsystem.preflight import preflight  # noqa: PLC0415 - needs the apps to be loaded

    preflight()


@celeryd_after_setup.connect
def share_what_is_loaded(**_: Any) -> None:
    """What is loaded by now stays: the children's search for garbage need not copy its pages."""
    gc.collect()
    gc.freeze()
