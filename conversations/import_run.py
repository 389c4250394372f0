"""One run of an import: skip the lines that are done, then store batch after batch.

Each batch is one transaction: its rows, rejected lines and the progress itself. Either
all of it is stored or nothing, so an import that is killed at any point and run again stores each
line exactly once. An import is identified by the name of its source and its first line. A later run
reads the lines that are done again, checks that they are the same, and continues after them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from django.db import IntegrityError, transaction
from django.utils import timezone
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from conversations.errors import ImportOvertaken, SourceChanged
from conversations.import_lines import (
    Batch,
    Entry,
    Line,
    Rejection,
    batches,
    is_export,
    parse_export_line,
    parse_named_message,
)
from conversations.import_source import Source, displayable
from conversations.models import Import, RejectedLine, digest_of
from conversations.named_messages import NamedMessages
from conversations.restored_rows import RestoredRows
from infra.database import in_transaction

if TYPE_CHECKING:
    from hashlib import _Hash


@dataclass
class Progress:
    """One import: `lines_done` lines are stored; `digest` covers those of earlier runs."""

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


def open_progress(source: Source, first: Line, *, restart: bool) -> Progress:
    """The progress of the import of this source; with `restart`, a new import."""
    key = {"source_key": digest_of(source.name), "first_line": first.digest.hex()}
    now = timezone.now()
    defaults = {
        "source": displayable(source.name),
        "digest": sha256().hexdigest(),
        "created_at": now,
        "updated_at": now,
    }
    with transaction.atomic(durable=True):
        if restart:
            Import.objects.filter(**key).delete()
        row, _ = Import.objects.get_or_create(**key, defaults=defaults)
    return Progress(row.pk, source.label, row.lines_done, row.digest)


def skip_done(progress: Progress, lines: Iterator[Line], digest: "_Hash") -> Iterator[Line]:
    """The lines that are not done yet. Raises SourceChanged if the done ones are not the same."""
    for number in range(progress.lines_done):
        line = next(lines, None)
        if line is None:
            raise SourceChanged(_changed(progress, f"the input has only {number:,}"))
        digest.update(line.digest)
    if digest.hexdigest() != progress.digest:
        raise SourceChanged(_changed(progress, "the input begins with different ones"))
    return lines


def _changed(progress: Progress, how: str) -> str:
    return (
        f"{progress.label} has changed: {progress.lines_done:,} lines were imported earlier, but "
        f"{how}. Restore the earlier input, or import this one under another --name or with "
        "--restart; both import all lines, from line 1, as new messages."
    )


@dataclass
class Outcome:
    """The figures of one run so far; `import_id` is None until the first line is read."""

    import_id: int | None = None
    skipped: int = 0
    handled: int = 0
    messages: int = 0
    rejected: int = 0
    empty: int = 0

    @property
    def lines(self) -> int:
        """The lines handled by this run or an earlier one."""
        return self.skipped + self.handled

    def add(self, batch: Batch) -> None:
        """Count a stored batch."""
        self.handled += batch.lines
        self.messages += batch.messages
        self.rejected += len(batch.rejected)
        self.empty += batch.empty


class Storage(Protocol):
    """Stores the content of lines."""

    def write(self, entries: Sequence[Entry], import_id: int) -> Sequence[Rejection]:
        """Store it in the caller's transaction; returns the lines that could not be stored."""

    def committed(self) -> None:
        """Note that the transaction of the last `write` was committed."""


class ImportRun:
    """One run. `outcome` and `lines_done` are correct at any time, also after an exception.

    Each batch is stored and counted within the context manager `uninterrupted`, then given to
    `on_batch`.
    """

    def __init__(
        self,
        source: Source,
        *,
        uninterrupted: Callable[[], AbstractContextManager[object]] = nullcontext,
        on_batch: Callable[[Batch], object] = lambda _: None,
    ) -> None:
        self.outcome = Outcome()
        self._source = source
        self._uninterrupted = uninterrupted
        self._on_batch = on_batch
        self._progress: Progress | None = None

    @property
    def lines_done(self) -> int:
        """The number of the last line that is stored."""
        return self._progress.lines_done if self._progress else 0

    def run(self, *, restart: bool = False) -> None:
        """Import the lines that are not done yet. Raises the errors of conversations.errors."""
        lines = self._source.lines()
        first = next(lines, None)
        if first is None:
            return
        progress = open_progress(self._source, first, restart=restart)
        self._progress = progress
        digest = sha256()
        rest = skip_done(progress, chain([first], lines), digest)
        self.outcome.import_id = progress.import_id
        self.outcome.skipped = progress.lines_done
        storage: Storage = RestoredRows() if is_export(first) else NamedMessages()
        parse = parse_export_line if is_export(first) else parse_named_message
        for batch in batches(rest, progress.lines_done, digest, parse):
            with self._uninterrupted():
                _store(batch, progress, storage)
                self.outcome.add(batch)
            self._on_batch(batch)


# Another import that creates the same application at the same time wins by a unique key. The next
# attempt finds what it created.
@retry(
    retry=retry_if_exception_type(IntegrityError),
    stop=stop_after_attempt(10),
    wait=wait_random_exponential(multiplier=0.02, max=1),
    reraise=True,
)
def _store(batch: Batch, progress: Progress, storage: Storage) -> None:
    """Store the batch and its progress. Raises ImportOvertaken."""
    refused = in_transaction(partial(_write, batch, progress, storage))
    storage.committed()
    batch.reject(refused)
    progress.lines_done = batch.done


def _write(batch: Batch, progress: Progress, storage: Storage) -> Sequence[Rejection]:
    progress.advance(batch)
    refused = storage.write(batch.entries, progress.import_id)
    # An earlier run may have rejected a last line without its newline, which has changed since.
    of_import = RejectedLine.objects.filter(of_id=progress.import_id)
    of_import.filter(line_number__gt=batch.before).delete()
    RejectedLine.objects.bulk_create(
        RejectedLine(
            of_id=progress.import_id, line_number=one.line_number, reason=one.reason, raw=one.raw
        )
        for one in (*batch.rejected, *refused)
    )
    return refused
