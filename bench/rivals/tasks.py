"""The Celery application of the textbook designs, and their tasks: one for each message."""

import os
from typing import TYPE_CHECKING

from celery import Celery
from django.utils.dateparse import parse_datetime

from bench.services import services

if TYPE_CHECKING:
    from bench.rivals.models import Message

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
    _insert(token, chat_number, message_number, body, accepted_at)


@app.task
def store_and_index(
    token: str, chat_number: int, message_number: int, body: str, accepted_at: str
) -> None:
    """Insert one row, and write its document."""
    from bench.rivals.documents import MessageDocument  # as below

    MessageDocument().update(_insert(token, chat_number, message_number, body, accepted_at))


def _insert(
    token: str, chat_number: int, message_number: int, body: str, accepted_at: str
) -> "Message":
    from bench.rivals.models import Message  # Celery sets Django up after it has read this module

    moment = parse_datetime(accepted_at)
    message = Message(
        application_token=token,
        chat_number=chat_number,
        message_number=message_number,
        body=body,
        created_at=moment,
        updated_at=moment,
    )
    message.save(force_insert=True)
    return message
