"""The table `messages`."""

from typing import NamedTuple
from uuid import uuid4

from django.db import models

from applications.models import TOKEN_BYTES
from ingest.fields import MAX_NAME_CHARACTERS
from ingest.models import StoredRecord


class MessageKey(NamedTuple):
    """The natural key of a message."""

    application_token: str
    chat_number: int
    message_number: int


class Message(StoredRecord):
    """A message of a chat. See chats.models.Chat for `acceptance` and the missing foreign keys.

    `metadata` is compact JSON. An erased message, with `erased_at`, has an empty body, no sender
    and no metadata.
    """

    shard_key = "application_token"

    application_token = models.CharField(max_length=2 * TOKEN_BYTES)
    chat_number = models.PositiveBigIntegerField()
    message_number = models.PositiveBigIntegerField()
    body = models.TextField()
    sender = models.CharField(max_length=MAX_NAME_CHARACTERS, null=True)  # noqa: DJ001 - null: nobody is named
    metadata = models.TextField(null=True)  # noqa: DJ001 - an absent object is not a text
    erased_at = models.DateTimeField(null=True)
    acceptance = models.UUIDField(default=uuid4, editable=False)

    class Meta:
        db_table = "messages"
        constraints = (
            models.UniqueConstraint(
                fields=("application_token", "chat_number", "message_number"),
                name="messages_natural_key",
            ),
        )
        indexes = (
            models.Index(
                fields=(
                    "application_token",
                    "sender",
                    "chat_number",
                    "message_number",
                    "created_at",
                ),
                name="messages_by_sender",
            ),
            models.Index(
                fields=("application_token", "chat_number", "created_at", "message_number"),
                name="messages_by_time",
            ),
            models.Index(
                fields=("application_token", "created_at", "chat_number", "message_number"),
                name="application_messages_by_time",
            ),
        )

    def __str__(self) -> str:
        return f"{self.application_token}/{self.chat_number}/{self.message_number}"
