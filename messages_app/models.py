"""The table `messages`."""

from typing import NamedTuple
from uuid import uuid4

from django.db import models

from applications.models import TOKEN_BYTES
from ingest.models import StoredRecord


class MessageKey(NamedTuple):
    """The natural key of a message."""

    application_token: str
    chat_number: int
    message_number: int


class Message(StoredRecord):
    """A message of a chat. See chats.models.Chat for `acceptance` and the missing foreign keys."""

    application_token = models.CharField(max_length=2 * TOKEN_BYTES)
    chat_number = models.PositiveBigIntegerField()
    message_number = models.PositiveBigIntegerField()
    body = models.TextField()
    acceptance = models.UUIDField(default=uuid4, editable=False)

    class Meta:
        db_table = "messages"
        constraints = (
            models.UniqueConstraint(
                fields=("application_token", "chat_number", "message_number"),
                name="messages_natural_key",
            ),
        )

    def __str__(self) -> str:
        return f"{self.application_token}/{self.chat_number}/{self.message_number}"
