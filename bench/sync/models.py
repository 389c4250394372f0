"""Its tables, made and dropped by `running`."""

from django.db import models

from bench.stock_message import StockMessage


class Chat(models.Model):
    """Counts its messages."""

    application_token = models.CharField(max_length=24)
    chat_number = models.PositiveBigIntegerField()
    messages_count = models.PositiveBigIntegerField()

    class Meta:
        app_label = "sync"
        db_table = "sync_chats"
        managed = False

    def __str__(self) -> str:
        return f"{self.application_token}/{self.chat_number}"


class Message(StockMessage):
    """Stored by the request."""

    class Meta:
        app_label = "sync"
        db_table = "sync_messages"
        managed = False
