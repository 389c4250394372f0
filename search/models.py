"""The table of the index backlog."""

from django.db import models

from applications.models import TOKEN_BYTES


class BacklogEntry(models.Model):
    """Messages whose documents may be out of date, recorded in the transaction of the change.

    All of them are of one application, so the tables can be sharded by it. Entries of an earlier
    release have no `application_token`, and may have messages of several applications. `keys` are
    ranges of numbers: [[application token, chat number, first, last], ...].
    """

    shard_key = "application_token"

    application_token = models.CharField(max_length=2 * TOKEN_BYTES, db_default="")
    keys = models.JSONField()
    recorded_at = models.DateTimeField()

    class Meta:
        db_table = "index_backlog"

    def __str__(self) -> str:
        return f"{len(self.keys)} ranges at {self.recorded_at}"
