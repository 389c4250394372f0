"""The tables of numbering, and the generation of a server."""

from typing import NamedTuple
from uuid import uuid4

from django.db import models

#: The epoch of an installation that has never numbered a row.
FIRST_EPOCH = 1


class Generation(NamedTuple):
    """An epoch, and how often a server was verified by then.

    Both are in the text of the script. So a server that was verified earlier and then replaced does
    not know the present script when it comes back.
    """

    epoch: int
    trust: int


class Source(models.TextChoices):
    """Who gives numbers."""

    REDIS = "redis"
    DATABASE = "database"


class NumberAuthority(models.Model):
    """The one row that says who gives numbers, and in which epoch.

    `fence`: the highest one that processes saw which have ended. `examination`: how often living
    processes were asked for theirs. `trust`: how often a server was verified. `is_drained`: no
    message from before this epoch is queued. `needs_full_count`: flags were lost, so the next count
    job counts everything.
    """

    source = models.CharField(max_length=16, choices=Source.choices, default=Source.REDIS)
    epoch = models.PositiveBigIntegerField(default=FIRST_EPOCH)
    trust = models.PositiveBigIntegerField(default=1)
    since = models.DateTimeField()
    reason = models.CharField(max_length=200)
    fence = models.PositiveBigIntegerField(default=0)
    examination = models.PositiveBigIntegerField(default=0)
    is_drained = models.BooleanField(default=True)
    needs_full_count = models.BooleanField(default=False)

    class Meta:
        db_table = "number_authority"
        verbose_name_plural = "number authority"  # there is one

    def __str__(self) -> str:
        return f"{self.source}, epoch {self.epoch}"

    @property
    def generation(self) -> Generation:
        """What a server must know to give numbers now."""
        return Generation(self.epoch, self.trust)


class NumberingProcess(models.Model):
    """A process that takes numbers from Redis, as it reports itself every half second.

    `fence` is the highest one it has seen, as of the `examination` that it answered last.
    `reaches_redis_since` is null while it cannot write to Redis.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    seen_at = models.DateTimeField()
    fence = models.PositiveBigIntegerField(default=0)
    examination = models.PositiveBigIntegerField(default=0)
    reaches_redis_since = models.DateTimeField(null=True)

    class Meta:
        db_table = "numbering_processes"

    def __str__(self) -> str:
        return str(self.id)


class NumberSkip(models.Model):
    """Numbers right below `resumed_at` may never have been given: a gap there is no loss.

    `skipped_from`, if known, is the first of them: numbers of rows that an operator discarded.
    `chat_number` is null if the numbers are those of chats.
    """

    application_token = models.CharField(max_length=24)
    chat_number = models.PositiveBigIntegerField(null=True)
    skipped_from = models.PositiveBigIntegerField(null=True)
    resumed_at = models.PositiveBigIntegerField()
    recorded_at = models.DateTimeField()
    reason = models.CharField(max_length=200)

    class Meta:
        db_table = "number_skips"
        indexes = (models.Index(fields=("application_token", "chat_number", "resumed_at")),)

    def __str__(self) -> str:
        return f"{self.application_token}/{self.chat_number or ''} at {self.resumed_at}"
