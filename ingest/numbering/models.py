"""What a server must have been told before it may give numbers.

The tables of numbering.
"""

from typing import NamedTuple
from uuid import uuid4

from django.db import models

#: The epoch of an installation that has never numbered a row.
FIRST_EPOCH = 1


class Generation(NamedTuple):
    """An epoch, and how often a server was found trustworthy by then.

    Both are in the script's text: a server that was trusted at an earlier time, and then replaced
    by another, does not know the script of now when it comes back.
    """

    epoch: int
    trust: int


class Source(models.TextChoices):
    """Who gives numbers."""

    REDIS = "redis"
    DATABASE = "database"


class NumberAuthority(models.Model):
    """The one row that says who gives numbers, and in which epoch.

    `fence`: the highest that processes which have ended had seen. `examination`: how often the
    living were asked for theirs. `trust`: how often a server was found trustworthy.
    `is_drained`: nothing that was queued before this epoch still is.
    `needs_full_count`: flags were lost, so the next count job counts everything.
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
    def term(self) -> Generation:
        """What a server must know to give numbers now."""
        return Generation(self.epoch, self.trust)


class NumberingProcess(models.Model):
    """A process that takes numbers from Redis, and what it says of itself each second.

    `fence` is the highest it has seen, true as of the `examination` it has answered.
    `reaches_redis_since` is null while it does not.
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

    Where `skipped_from` is known, from there on: those of rows that an operator has discarded.
    `chat_number` is null where chats are numbered.
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
