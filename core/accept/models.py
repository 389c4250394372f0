"""The table of rows that were accepted and could not be stored."""

from django.db import models


class DeadLetter(models.Model):
    """A row set aside: all of it, and why. `acceptance` is unique, so setting aside may repeat."""

    acceptance = models.UUIDField(unique=True)
    kind = models.CharField(max_length=32)
    key = models.JSONField()
    payload = models.JSONField()
    reason = models.CharField(max_length=200)
    traceback = models.TextField(blank=True)
    set_aside_at = models.DateTimeField()

    class Meta:
        db_table = "dead_letters"

    def __str__(self) -> str:
        return f"{self.kind} {self.key}: {self.reason}"
