"""A message as the baselines have it: model and serializer."""

from django.db import models
from rest_framework import serializers


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
