"""What the service keeps about its own working, for operators."""

from django.db import models


class ScheduledRun(models.Model):
    """When a scheduled task last came to its end without an error."""

    task = models.CharField(max_length=100, unique=True)
    ran_at = models.DateTimeField()

    class Meta:
        db_table = "scheduled_runs"

    def __str__(self) -> str:
        return f"{self.task} at {self.ran_at}"


class Sample(models.Model):
    """What was to be seen at one instant: figures by the names of their metrics.

    `host` tells apart what counts by itself; see infra.prometheus_multiprocess.identity.
    """

    host = models.CharField(max_length=64)
    instant = models.DateTimeField(db_index=True)
    figures = models.JSONField()

    class Meta:
        db_table = "samples"
        constraints = (models.UniqueConstraint(fields=("host", "instant"), name="one_sample"),)

    def __str__(self) -> str:
        return f"{self.host} at {self.instant}"
