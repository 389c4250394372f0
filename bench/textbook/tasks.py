"""Its one task."""

from django.utils.dateparse import parse_datetime

from bench.textbook.celery import app
from bench.textbook.models import Message


@app.task
def store(token: str, chat_number: int, message_number: int, body: str, accepted_at: str) -> None:
    """Insert one row."""
    moment = parse_datetime(accepted_at)
    Message(
        application_token=token,
        chat_number=chat_number,
        message_number=message_number,
        body=body,
        created_at=moment,
        updated_at=moment,
    ).save(force_insert=True)
