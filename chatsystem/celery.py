"""The Celery application; its settings are the `CELERY_` names of chatsystem.settings."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init, import_modules, setup_logging, task_success

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsystem.settings")


@import_modules.connect
def count_with_the_others(**_: Any) -> None:
    """Workers and beat add to the host's metrics.

    Connected before the application is made, since that connects what sets Django up.
    """
    from chatsystem.sharing import share_counters  # noqa: PLC0415 - reads the settings

    share_counters()


app = Celery("chatsystem")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_logging(**_: Any) -> None:
    """The settings say what is logged and how; with a receiver here Celery leaves it at that."""


@celeryd_init.connect
@beat_init.connect
def check_before_start(**_: Any) -> None:
    """A worker or beat that could do nothing does not start."""
    from chatsystem.preflight import preflight  # noqa: PLC0415 - needs the apps to be loaded

    preflight()


@task_success.connect
def note_that_it_ran(sender: Any, **_: Any) -> None:
    """What runs on schedule says so."""
    from chatsystem.schedule import note_run  # noqa: PLC0415 - needs the apps to be loaded

    note_run(sender.name)
