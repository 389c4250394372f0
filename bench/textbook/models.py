"""Its table, made and dropped by `resources` and so without migrations."""

from django.db import models


class Message(models.Model):
    """One row a message."""

    application_token = models.CharField(max_length=24)
    chat_number = models.PositiveBigIntegerField()
    message_number = models.PositiveBigIntegerField()
    body = models.TextField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        app_label = "textbook"
        db_table = "textbook_messages"
        managed = False

    def __str__(self) -> str:
        return f"{self.application_token}/{self.chat_number}/{self.message_number}"
