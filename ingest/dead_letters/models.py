"""The table of what was accepted and could not be stored, or not be read."""

from django.db import models


class DeadLetter(models.Model):
    """What was set aside: all of it, and why. `acceptance` is unique, so setting aside may repeat.

    `kind` says what it is: a row by the name of its kind, a document of `search`, or a `message`
    that cannot be read. `queue` is where such things travel. A row has its number among those of
    its `parent` (by name, cut to fit); null where no row can have it.
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
        """What it is, and of which row."""
        return " ".join([self.kind, "/".join(map(str, self.key))]).strip()
