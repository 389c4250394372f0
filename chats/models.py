"""The table `chats`."""

from typing import NamedTuple
from uuid import uuid4

from django.db import models

from applications.models import TOKEN_BYTES
from ingest.models import PurgeableParent


class ChatKey(NamedTuple):
    """The natural key of a chat."""

    application_token: str
    chat_number: int


class Chat(PurgeableParent):
    """A conversation within one application; numbers and counts its messages.

    There is no foreign key: rows may arrive before their parent, and a sharded database has no
    foreign keys across shards. `acceptance` tells a redelivered row from another one with its
    number. `metadata` is compact JSON.
    """

    shard_key = "application_token"

    application_token = models.CharField(max_length=2 * TOKEN_BYTES)
    chat_number = models.PositiveBigIntegerField()
    metadata = models.TextField(null=True)  # noqa: DJ001 - an absent object is not a text
    messages_count = models.PositiveBigIntegerField(default=0)
    acceptance = models.UUIDField(default=uuid4, editable=False)

    class Meta:
        db_table = "chats"
        constraints = (
            models.UniqueConstraint(
                fields=("application_token", "chat_number"), name="chats_natural_key"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> ChatKey:
        """Its natural key, which its messages carry too."""
        return ChatKey(self.application_token, self.chat_number)
