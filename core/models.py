"""What every stored row has, and the bookkeeping of the background jobs."""

from django.db import models

from core.accept.models import DeadLetter
from core.idempotency.models import IdempotencyKey
from core.numbering.models import NumberAuthority, NumberingProcess, NumberSkip
from core.text import MAX_NAME_CHARACTERS

__all__ = [
    "CountState",
    "DeadLetter",
    "IdempotencyKey",
    "Job",
    "NumberAuthority",
    "NumberSkip",
    "NumberingProcess",
    "Parent",
    "PurgeHorizon",
    "Record",
    "Retaining",
]


class CountState(models.IntegerChoices):
    """Whether a parent's count may differ from its children; larger values name a count run."""

    CURRENT = 0
    CHANGED = 1


class Record(models.Model):
    """Times of a row and its version, which rises with everything the API shows of it."""

    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    version = models.PositiveBigIntegerField(default=1)

    class Meta:
        abstract = True


class Parent(Record):
    """A named row that numbers and counts its children.

    `number_ceiling`: no number above it was ever given to a child. `lease_first` to `lease_last`
    were lent to Redis at `lease_at` in `lease_epoch`, which is null where the database itself gave
    the last number (see core.numbering).
    `count_state`: see core.counts.
    """

    name = models.CharField(max_length=MAX_NAME_CHARACTERS)
    number_ceiling = models.PositiveBigIntegerField(default=0)
    lease_epoch = models.PositiveBigIntegerField(null=True)
    lease_first = models.PositiveBigIntegerField(null=True)
    lease_last = models.PositiveBigIntegerField(null=True)
    lease_at = models.DateTimeField(null=True)
    count_state = models.PositiveBigIntegerField(default=CountState.CURRENT, db_index=True)

    class Meta:
        abstract = True

    @property
    def key(self) -> tuple[str | int, ...]:
        """The natural key, which its children carry too."""
        raise NotImplementedError


class Retaining(Parent):
    """A parent of which the oldest children may be purged: none is at or below `purged_through`.

    What still is, an interrupted purge has left for the next one (see core.accept.purged).
    """

    purged_through = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        abstract = True


def purged_through(parent: Parent) -> int:
    """The children of the parent up to this number were purged; 0 where none can be."""
    return parent.purged_through if isinstance(parent, Retaining) else 0


class PurgeHorizon(models.Model):
    """How far purges reach: nothing that is younger than the latest of these was ever purged."""

    before = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "purge_horizon"

    def __str__(self) -> str:
        return f"before {self.before}"


class Job(models.Model):
    """One background job: who runs it until when, and how its last run ended."""

    name = models.CharField(max_length=64, unique=True)
    # A run's number is put into Parent.count_state, so it stays clear of CountState.
    run = models.PositiveBigIntegerField(default=CountState.CHANGED)
    held_until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    outcome = models.JSONField(default=dict)

    class Meta:
        db_table = "jobs"

    def __str__(self) -> str:
        return self.name
