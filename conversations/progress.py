"""How far an import has come: kept with the rows it stored, found again by its first line.

An import is told from others by the name of its source and its first line. The lines done are read
again by a later run and must be the same; it goes on behind them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from django.db import transaction
from django.utils import timezone

from conversations.batches import Batch
from conversations.digests import Running, digest_of
from conversations.errors import Overtaken, SourceChanged
from conversations.lines import Line
from conversations.models import Import
from conversations.source import Source, readable


@dataclass
class Progress:
    """One import: `lines_done` lines are stored, `digest` covers them."""

    import_id: int
    label: str
    lines_done: int
    digest: str

    def advance(self, batch: Batch) -> None:
        """Count the batch as done, within the transaction that stores it. Raises Overtaken.

        Comes first in there: it locks the import, so a rival waits here and then stops.
        """
        advanced = Import.objects.filter(pk=self.import_id, lines_done=batch.before).update(
            lines_done=batch.done, digest=batch.digest, updated_at=timezone.now()
        )
        if not advanced:
            raise Overtaken(
                f"{self.label}:{batch.before + 1}: another run of this import is ahead of this "
                "one, which stops here; nothing was stored twice. Wait for the other to end."
            )

    def follow(self, batch: Batch) -> None:
        """The batch is stored."""
        self.lines_done = batch.done
        self.digest = batch.digest


def open_progress(source: Source, first: Line, *, restart: bool) -> Progress:
    """The import of this source; with `restart` one that has done nothing yet."""
    key = {"source_key": digest_of(source.name), "first_line": first.digest.hex()}
    now = timezone.now()
    beginning = {
        "source": readable(source.name),
        "digest": Running().hex(),
        "created_at": now,
        "updated_at": now,
    }
    with transaction.atomic(durable=True):
        if restart:
            Import.objects.filter(**key).delete()
        row, _ = Import.objects.get_or_create(**key, defaults=beginning)
    return Progress(row.pk, source.label, row.lines_done, row.digest)


def behind(progress: Progress, lines: Iterator[Line], running: Running) -> Iterator[Line]:
    """The lines that are not done yet. Raises SourceChanged when those done are not the same."""
    for number in range(progress.lines_done):
        line = next(lines, None)
        if line is None:
            raise SourceChanged(_changed(progress, f"the input has only {number:,}"))
        running.add(line)
    if running.hex() != progress.digest:
        raise SourceChanged(_changed(progress, "the input begins with others"))
    return lines


def first_of(lines: Iterator[Line]) -> tuple[Line | None, Iterator[Line]]:
    """The first line, and all of them."""
    first = next(lines, None)
    return first, chain([first] if first else [], lines)


def _changed(progress: Progress, how: str) -> str:
    return (
        f"{progress.label} has changed: {progress.lines_done:,} lines were imported earlier, "
        f"{how}. Bring the earlier input back, or import this one under another --name, "
        "or with --restart: both import it from line 1 as new messages."
    )
