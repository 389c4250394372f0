"""The table of background jobs."""

from django.db import models


class Job(models.Model):
    """A background job: the number and hold of its current run, and the outcome of the last one."""

    name = models.CharField(max_length=64, unique=True)
    # The first run is number 2: a run may mark rows with its number; 0 and 1 mark those that no run
    # has taken.
    run = models.PositiveBigIntegerField(default=1)
    held_until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    outcome = models.JSONField(default=dict)

    class Meta:
        db_table = "jobs"

    def __str__(self) -> str:
        return self.name
