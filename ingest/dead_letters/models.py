"""The table of dead letters."""

from django.db import models


class DeadLetter(models.Model):
    """Data that was accepted and cannot be stored or read, whole, and the reason.

    `acceptance` is unique, so setting aside may repeat. `kind` is the name of a row's record type,
    `search` for a rejected document, or `message` for a message that cannot be read. `queue` is the
    queue that it came by. `number` is a row's number within its `parent` (the parent's name, cut to
    fit); null if no row can have it.
    """

    acceptance = models.UUIDField(unique=True)
    kind = models.CharField(max_length=32)
    queue = models.CharField(max_length=64, db_default="")
    key = models.JSONField()
    parent = models.CharField(max_length=64, db_default="")
    number = models.PositiveBigIntegerField(null=True)
    payload = models.JSONField()
    reason = models.CharField(max_length=200)
    traceback = models.TextField(blank=True)
    set_aside_at = models.DateTimeField()

    class Meta:
        db_table = "dead_letters"
        indexes = (models.Index(fields=("parent", "number")),)

    def __str__(self) -> str:
        return f"{self.title}: {self.reason}"

    @property
    def title(self) -> str:
        """The kind and the key."""
        return " ".join([self.kind, "/".join(map(str, self.key))]).strip()
