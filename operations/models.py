"""What the service records about its own operation: scheduled runs, and samples of metrics."""

from django.db import models


class ScheduledRun(models.Model):
    """When a scheduled task last ended without an error."""

    task = models.CharField(max_length=100, unique=True)
    ran_at = models.DateTimeField()

    class Meta:
        db_table = "scheduled_runs"

    def __str__(self) -> str:
        return f"{self.task} at {self.ran_at}"


class Sample(models.Model):
    """Values of metrics at one instant, by the name of the metric.

    `host` names the directory of counters; see infra.prometheus_multiprocess.identity.
    """

    host = models.CharField(max_length=64)
    instant = models.DateTimeField(db_index=True)
    figures = models.JSONField()

    class Meta:
        db_table = "samples"
        constraints = (models.UniqueConstraint(fields=("host", "instant"), name="one_sample"),)

    def __str__(self) -> str:
        return f"{self.host} at {self.instant}"
