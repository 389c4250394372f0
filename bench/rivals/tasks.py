"""The textbook design's Celery application and its one task."""

import os

from celery import Celery
from django.utils.dateparse import parse_datetime

from bench.services import services

_NAME = os.environ["BENCH_RIVAL"]

app = Celery(_NAME, broker=services().broker_url)
app.conf.update(
    broker_transport_options={"confirm_publish": True},
    task_default_queue=_NAME,
    task_ignore_result=True,
    # Otherwise Celery closes the database connection after every task.
    CELERY_DB_REUSE_MAX=1000,
    worker_enable_remote_control=False,
)


@app.task
def store(token: str, chat_number: int, message_number: int, body: str, accepted_at: str) -> None:
    """Insert one row."""
    from bench.rivals.models import Message  # Celery sets Django up after it has read this module

    moment = parse_datetime(accepted_at)
    Message(
        application_token=token,
        chat_number=chat_number,
        message_number=message_number,
        body=body,
        created_at=moment,
        updated_at=moment,
    ).save(force_insert=True)
