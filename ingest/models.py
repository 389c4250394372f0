"""Abstract models of stored rows, and the tables of ingest."""

from django.db import models

from ingest.dead_letters.models import DeadLetter
from ingest.idempotency.models import IdempotencyKey
from ingest.numbering.models import NumberAuthority, NumberingProcess, NumberSkip
from ingest.text_rules import MAX_NAME_CHARACTERS

__all__ = [
    "CountState",
    "DeadLetter",
    "IdempotencyKey",
    "NumberAuthority",
    "NumberSkip",
    "NumberingProcess",
    "Parent",
    "PurgeHorizon",
    "PurgeableParent",
    "StoredRecord",
]


class CountState(models.IntegerChoices):
    """Whether a parent's count may be wrong; larger values are the number of a count run."""

    CURRENT = 0
    CHANGED = 1


class StoredRecord(models.Model):
    """Times of a row, and its version, which rises with every change that the API shows."""

    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    version = models.PositiveBigIntegerField(default=1)

    class Meta:
        abstract = True


class Parent(StoredRecord):
    """A named row that numbers and counts its children.

    `number_ceiling`: no child ever got a number above it. `lease_first` to `lease_last` were lent
    to Redis at `lease_at` in `lease_epoch`, which is null if the database itself gave the last
    number (see ingest.numbering).
    `count_state`: see operations.counts.
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


class PurgeableParent(Parent):
    """A parent whose oldest children may be purged: none at or below `purged_through` is valid.

    An interrupted purge may leave some of those for the next one (see ingest.late_rows).
    """

    purged_through = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        abstract = True


def purged_through(parent: Parent) -> int:
    """The last purged number of the parent's children; 0 if they cannot be purged."""
    return parent.purged_through if isinstance(parent, PurgeableParent) else 0


class PurgeHorizon(models.Model):
    """How far purges reach: no row younger than the latest of these was ever purged."""

    before = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "purge_horizon"

    def __str__(self) -> str:
        return f"before {self.before}"
