"""The table of what is still to be indexed."""

from django.db import models


class BacklogEntry(models.Model):
    """Messages whose documents may differ from their rows, recorded with the change itself.

    `keys` are ranges of numbers: [[application token, chat number, first, last], ...].
    """

    keys = models.JSONField()
    recorded_at = models.DateTimeField()

    class Meta:
        db_table = "index_backlog"

    def __str__(self) -> str:
        return f"{len(self.keys)} ranges at {self.recorded_at}"
