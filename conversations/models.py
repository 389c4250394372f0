"""The tables of imports: progress, rejected lines, and the chats that names resolve to.

Applications may lie on different shards, and imports on none of them. So each transaction of an
import writes the rows of one application, or rows that belong to none (see import_run). Nothing
refers to rows elsewhere by a constraint.

Rows that are looked up by name have a digest as their key: it compares byte for byte under any
collation, and no name or path is too long for its index.
"""

from hashlib import sha256

from django.db import models

from applications.models import TOKEN_BYTES
from ingest.fields import MAX_NAME_CHARACTERS

DIGEST_CHARACTERS = 64


def digest_of(*names: str) -> str:
    """The digest of names, for use as a key.

    No name contains a NUL character, so different lists of names never join to the same text.
    """
    return sha256("\0".join(names).encode(errors="surrogateescape")).hexdigest()


class Import(models.Model):
    """A source of lines; `lines_done` of them are stored, and `digest` covers exactly these.

    `lines_begun` and `begun_digest` are the same after the batch that was begun last: until it is
    done, some of its applications may be stored already. `application_token` is the application of
    the next lines of an export; empty before the first.
    """

    source = models.TextField()
    source_key = models.CharField(max_length=DIGEST_CHARACTERS)
    first_line = models.CharField(max_length=DIGEST_CHARACTERS)
    lines_done = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=DIGEST_CHARACTERS)
    lines_begun = models.PositiveBigIntegerField(default=0, db_default=0)
    begun_digest = models.CharField(max_length=DIGEST_CHARACTERS, default="", db_default="")
    application_token = models.CharField(max_length=2 * TOKEN_BYTES, db_default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "imports"
        constraints = (
            models.UniqueConstraint(
                fields=("source_key", "first_line"), name="imports_natural_key"
            ),
        )

    def __str__(self) -> str:
        return self.source


class ImportShare(models.Model):
    """The messages and chats that all runs of one import added to one application.

    All lines of the application up to number `lines_done` are stored, also where the import's own
    progress is behind. With an empty token: all rejected lines that belong to no application.
    """

    shard_key = "application_token"

    of = models.ForeignKey(
        Import, on_delete=models.DO_NOTHING, db_constraint=False, related_name="shares"
    )
    application_token = models.CharField(max_length=2 * TOKEN_BYTES)
    name = models.CharField(max_length=MAX_NAME_CHARACTERS)
    chats = models.PositiveBigIntegerField(default=0)
    messages = models.PositiveBigIntegerField(default=0)
    lines_done = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "import_shares"
        constraints = (
            models.UniqueConstraint(
                fields=("of", "application_token"), name="import_shares_natural_key"
            ),
        )

    def __str__(self) -> str:
        return self.name


class RejectedLine(models.Model):
    """A line that could not be imported; `raw` is its beginning.

    `application_token` is empty if the line belongs to no application, as one that cannot be read,
    and in lines that an earlier release rejected.
    """

    shard_key = "application_token"

    of = models.ForeignKey(
        Import, on_delete=models.DO_NOTHING, db_constraint=False, related_name="rejected_lines"
    )
    application_token = models.CharField(max_length=2 * TOKEN_BYTES, default="", db_default="")
    line_number = models.PositiveBigIntegerField()
    reason = models.TextField()
    raw = models.BinaryField()

    class Meta:
        db_table = "import_rejected_lines"
        constraints = (
            models.UniqueConstraint(
                fields=("of", "application_token", "line_number"),
                name="import_rejected_lines_natural_key",
            ),
        )

    def __str__(self) -> str:
        return f"{self.of}:{self.line_number}: {self.reason}"


class ImportedApplication(models.Model):
    """The token of an application that imports create: for a name, or for a line of an export.

    It is given before the application is stored, so a batch that is repeated finds it again. Other
    applications are not listed here.
    """

    key = models.CharField(max_length=DIGEST_CHARACTERS, unique=True)
    name = models.CharField(max_length=MAX_NAME_CHARACTERS)
    application_token = models.CharField(max_length=2 * TOKEN_BYTES)

    class Meta:
        db_table = "imported_applications"

    def __str__(self) -> str:
        return self.name


class ImportedChat(models.Model):
    """A chat that an import created: for the names of the old format, or of an export."""

    shard_key = "application_token"

    key = models.CharField(max_length=DIGEST_CHARACTERS, unique=True)
    name = models.CharField(max_length=MAX_NAME_CHARACTERS)
    application_token = models.CharField(max_length=2 * TOKEN_BYTES)
    chat_number = models.PositiveBigIntegerField()

    class Meta:
        db_table = "imported_chats"

    def __str__(self) -> str:
        return self.name
