"""The Celery application; its settings are the `CELERY_` names of chatsystem.settings."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsystem.settings")

app = Celery("chatsystem")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
@beat_init.connect
def check_before_start(**_: Any) -> None:
    """A worker or beat that could do nothing does not start."""
    from chatsystem.preflight import preflight  # noqa: PLC0415 - needs the apps to be loaded

    preflight()
