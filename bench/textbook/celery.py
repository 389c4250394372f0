"""Its Celery application."""

import os

from celery import Celery

from bench.services import services
from bench.textbook.names import QUEUE

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.textbook.settings")

app = Celery("textbook", broker=services().broker_url, include=["bench.textbook.tasks"])
app.conf.update(
    broker_transport_options={"confirm_publish": True},
    task_default_queue=QUEUE,
    task_ignore_result=True,
    # Otherwise Celery closes the database connection after every task.
    CELERY_DB_REUSE_MAX=1000,
    worker_enable_remote_control=False,
)
