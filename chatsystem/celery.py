"""The Celery application; its settings are the `CELERY_` names of chatsystem.settings."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init, setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsystem.settings")

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
