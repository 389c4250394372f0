"""The progress of an import, stored in the same transaction as its rows.

An import is identified by the name of its source and its first line. A later run reads the lines
that are done again, checks that they are the same, and continues after them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from django.db import transaction
from django.utils import timezone

from conversations.errors import ImportOvertaken, SourceChanged
from conversations.import_batches import Batch
from conversations.import_lines import Line, LinesDigest
from conversations.import_source import Source, displayable
from conversations.models import Import, digest_of


@dataclass
class Progress:
    """One import: `lines_done` lines are stored, and `digest` covers them."""

    import_id: int
    label: str
    lines_done: int
    digest: str

    def advance(self, batch: Batch) -> None:
        """Store that the batch is done, in the transaction that stores it. Raises ImportOvertaken.

        Call it first in the transaction: it locks the import, so a rival run waits here and stops.
        """
        advanced = Import.objects.filter(pk=self.import_id, lines_done=batch.before).update(
            lines_done=batch.done, digest=batch.digest, updated_at=timezone.now()
        )
        if not advanced:
            raise ImportOvertaken(
                f"{self.label}:{batch.before + 1}: another run of this import is ahead, so this "
                "run stops. Nothing was stored twice. Wait for the other run to end."
            )

    def committed(self, batch: Batch) -> None:
        """Remember that the transaction of this batch was committed."""
        self.lines_done = batch.done
        self.digest = batch.digest


def open_progress(source: Source, first: Line, *, restart: bool) -> Progress:
    """The progress of the import of this source; with `restart`, a new import."""
    key = {"source_key": digest_of(source.name), "first_line": first.digest.hex()}
    now = timezone.now()
    defaults = {
        "source": displayable(source.name),
        "digest": LinesDigest().hex(),
        "created_at": now,
        "updated_at": now,
    }
    with transaction.atomic(durable=True):
        if restart:
            Import.objects.filter(**key).delete()
        row, _ = Import.objects.get_or_create(**key, defaults=defaults)
    return Progress(row.pk, source.label, row.lines_done, row.digest)


def skip_done(progress: Progress, lines: Iterator[Line], digest: LinesDigest) -> Iterator[Line]:
    """The lines that are not done yet. Raises SourceChanged if the done ones are not the same."""
    for number in range(progress.lines_done):
        line = next(lines, None)
        if line is None:
            raise SourceChanged(_changed(progress, f"the input has only {number:,}"))
        digest.add(line)
    if digest.hex() != progress.digest:
        raise SourceChanged(_changed(progress, "the input begins with different ones"))
    return lines


def peek_first(lines: Iterator[Line]) -> tuple[Line | None, Iterator[Line]]:
    """The first line, and an iterator over all lines."""
    first = next(lines, None)
    return first, chain([first] if first else [], lines)


def _changed(progress: Progress, how: str) -> str:
    return (
        f"{progress.label} has changed: {progress.lines_done:,} lines were imported earlier, but "
        f"{how}. Restore the earlier input, or import this one under another --name or with "
        "--restart; both import all lines, from line 1, as new messages."
    )
