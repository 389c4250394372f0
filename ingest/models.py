"""Abstract models of stored rows, and the tables of ingest."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, NamedTuple
from uuid import uuid4

from django.db import models

from infra.redis_client import Shard, shards
from ingest.fields import MAX_NAME_CHARACTERS

#: The epoch of an installation that has never numbered a row.
FIRST_EPOCH = 1


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
    `count_state`: see operations.counts. `shard_key`: see infra.vitess.vschema.
    """

    shard_key: ClassVar[str]

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


class Generation(NamedTuple):
    """An epoch, and how often a server was verified by then.

    Both are in the text of the script. So a server that was verified earlier and then replaced does
    not know the present script when it comes back.
    """

    epoch: int
    trust: int


class Source(models.TextChoices):
    """The service that gives numbers."""

    REDIS = "redis"
    DATABASE = "database"


class NumberAuthority(models.Model):
    """The source of the numbers of a shard, and its epoch; most installations have one shard.

    `fence`: the highest one that processes saw which have ended. `examination`: how often living
    processes were asked for theirs; `examined`: the last of these questions that was decided.
    `trust`: how often a server was verified. `is_drained`: no message from before this epoch is
    queued. `needs_full_count`: flags were lost, so the next count job counts everything.
    """

    source = models.CharField(max_length=16, choices=Source.choices, default=Source.REDIS)
    epoch = models.PositiveBigIntegerField(default=FIRST_EPOCH)
    trust = models.PositiveBigIntegerField(default=1)
    since = models.DateTimeField()
    reason = models.CharField(max_length=200)
    fence = models.PositiveBigIntegerField(default=0)
    examination = models.PositiveBigIntegerField(default=0)
    examined = models.PositiveBigIntegerField(default=0, db_default=0)
    is_drained = models.BooleanField(default=True)
    needs_full_count = models.BooleanField(default=False)

    class Meta:
        db_table = "number_authority"
        verbose_name_plural = "number authority"  # there is one

    def __str__(self) -> str:
        return f"{self.source}, epoch {self.epoch}"

    @property
    def shard(self) -> Shard:
        """The shard whose numbers it is about."""
        return shards()[self.pk - 1]

    @property
    def generation(self) -> Generation:
        """What a server must know to give numbers now."""
        return Generation(self.epoch, self.trust)


@dataclass(frozen=True, slots=True)
class Report:
    """What a process reports of a shard.

    `fence` is the highest one it has seen, as of the `examination` that it answered last.
    `reaches_since` is None while it cannot write to the shard's server, or need not know.
    """

    fence: int = 0
    examination: int = 0
    reaches_since: datetime | None = None


class NumberingProcess(models.Model):
    """A process that takes numbers from Redis, as it reports itself every half second.

    `fence`, `examination` and `reaches_redis_since` are its report of the first shard; `further`
    has those of the others as text.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    seen_at = models.DateTimeField()
    fence = models.PositiveBigIntegerField(default=0)
    examination = models.PositiveBigIntegerField(default=0)
    reaches_redis_since = models.DateTimeField(null=True)
    further = models.CharField(max_length=8192, default="", db_default="")

    class Meta:
        db_table = "numbering_processes"

    def __str__(self) -> str:
        return str(self.id)

    def report_of(self, shard: Shard) -> Report:
        """What it has reported of this shard."""
        reports = self._reports()
        return reports[shard.number] if shard.number < len(reports) else Report()

    def set_reports(self, reports: Iterable[Report]) -> None:
        """Set what it reports of each shard, in their order."""
        first, *further = reports
        self.fence, self.examination = first.fence, first.examination
        self.reaches_redis_since = first.reaches_since
        self.further = " ".join(map(_report_text, further))

    def _reports(self) -> list[Report]:
        first = Report(self.fence, self.examination, self.reaches_redis_since)
        return [first, *map(_read_report, self.further.split())]


def _report_text(report: Report) -> str:
    since = int(report.reaches_since.timestamp()) if report.reaches_since else ""
    return f"{report.fence}:{report.examination}:{since}"


def _read_report(text: str) -> Report:
    fence, examination, since = text.split(":")
    reaches_since = datetime.fromtimestamp(int(since), UTC) if since else None
    return Report(int(fence), int(examination), reaches_since)


class NumberSkip(models.Model):
    """Numbers right below `resumed_at` may never have been given: a gap there is no loss.

    `skipped_from`, if known, is the first of them: numbers of rows that an operator discarded.
    `chat_number` is null if the numbers are those of chats.
    """

    shard_key = "application_token"

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


class DeadLetter(models.Model):
    """Data that was accepted and cannot be stored or read, whole, and the reason.

    `acceptance` is unique, so setting aside may repeat. `kind` is the name of a row's record type,
    `search` for a rejected document, or `message` for a message that cannot be read. `queue` is the
    queue that it came by. `number` is a row's number within its `parent` (the parent's name, cut to
    fit); null if no row can have it. `application_token` is empty if there is no such application,
    as for a message that cannot be read, and in letters of an earlier release (see `letters_of`).
    """

    shard_key = "application_token"

    application_token = models.CharField(max_length=24, db_default="")
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


def letters_of(*tokens: str | int) -> models.Q:
    """A condition for the dead letters of these applications, and for those without a token.

    It tells a sharded database where to look. A second condition finds the letters along an index.
    """
    return models.Q(application_token__in=sorted({"", *map(str, tokens)}))


class IdempotencyKey(models.Model):
    """A request that succeeded. `name` is the digest of path and key, `fingerprint` of the content.

    It made the rows from `first_number` on, or the application or webhook with this `token`.
    """

    shard_key = "application_token"

    application_token = models.CharField(max_length=24)
    name = models.UUIDField()
    fingerprint = models.UUIDField()
    first_number = models.PositiveBigIntegerField(null=True)
    token = models.CharField(max_length=24, default="")
    accepted_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "idempotency_keys"
        constraints = (
            models.UniqueConstraint(
                fields=("application_token", "name"), name="idempotency_keys_natural_key"
            ),
        )

    def __str__(self) -> str:
        return self.name.hex
