"""Rows of the other designs. `running` makes and drops their tables; there are no migrations."""

import os

from django.db import models

_RIVAL = os.environ["BENCH_RIVAL"]


class Message(models.Model):
    """A message in a table of the design's own."""

    application_token = models.CharField(max_length=24)
    chat_number = models.PositiveBigIntegerField()
    message_number = models.PositiveBigIntegerField()
    body = models.TextField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        app_label = "rivals"
        db_table = f"{_RIVAL}_messages"
        managed = False

    def __str__(self) -> str:
        return f"{self.application_token}/{self.chat_number}/{self.message_number}"


class Chat(models.Model):
    """A chat, which counts its messages."""

    application_token = models.CharField(max_length=24)
    chat_number = models.PositiveBigIntegerField()
    messages_count = models.PositiveBigIntegerField()

    class Meta:
        app_label = "rivals"
        db_table = f"{_RIVAL}_chats"
        managed = False

    def __str__(self) -> str:
        return f"{self.application_token}/{self.chat_number}"


class StoredMessage(models.Model):
    """A row of the product's table, which both read."""

    application_token = models.CharField(max_length=24)
    chat_number = models.PositiveBigIntegerField()
    message_number = models.PositiveBigIntegerField()
    body = models.TextField()
    sender = models.CharField(max_length=255, null=True)  # noqa: DJ001 - the product's column
    metadata = models.TextField(null=True)  # noqa: DJ001 - the product's column
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    erased_at = models.DateTimeField(null=True)
    version = models.PositiveBigIntegerField(default=1)
    acceptance = models.UUIDField()

    class Meta:
        app_label = "rivals"
        db_table = "messages"
        managed = False

    def __str__(self) -> str:
        return f"{self.application_token}/{self.chat_number}/{self.message_number}"
