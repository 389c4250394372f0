"""The table of the index backlog."""

from django.db import models


class BacklogEntry(models.Model):
    """Messages whose documents may be out of date, recorded in the transaction of the change.

    `keys` are ranges of numbers: [[application token, chat number, first, last], ...].
    """

    keys = models.JSONField()
    recorded_at = models.DateTimeField()

    class Meta:
        db_table = "index_backlog"

    def __str__(self) -> str:
        return f"{len(self.keys)} ranges at {self.recorded_at}"
