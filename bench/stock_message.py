"""A message as the baselines have it: its table, and its serializer."""

from django.db import models
from rest_framework import serializers

# The product's columns as far as these designs have them, with the same unique key.
_CREATE = """
CREATE TABLE {table} (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  application_token varchar(24) NOT NULL,
  chat_number bigint unsigned NOT NULL,
  message_number bigint unsigned NOT NULL,
  body longtext NOT NULL,
  created_at datetime(6) NOT NULL,
  updated_at datetime(6) NOT NULL,
  UNIQUE KEY (application_token, chat_number, message_number)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
"""


def create_table(table: str) -> str:
    """The statement that makes it; there are no migrations."""
    return _CREATE.format(table=table)


class StockMessage(models.Model):
    """One row a message."""

    application_token = models.CharField(max_length=24)
    chat_number = models.PositiveBigIntegerField()
    message_number = models.PositiveBigIntegerField()
    body = models.TextField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.application_token}/{self.chat_number}/{self.message_number}"


class MessageSerializer(serializers.Serializer[object]):
    """A message on its way in and out."""

    message_number = serializers.IntegerField(read_only=True)
    application_token = serializers.CharField(read_only=True)
    chat_number = serializers.IntegerField(read_only=True)
    body = serializers.CharField(max_length=16384, trim_whitespace=False)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
