"""One run of an import: skip the lines that are done, then store batch after batch.

A batch is a series of transactions, because applications may lie on different shards, and a
transaction over several shards may be committed on some of them only:

1. The import records which lines the batch has, and each new application gets a token.
2. For each application: its rows, its rejected lines, and how far its lines are stored
   (conversations.shares). Then the same for rejected lines that belong to no application.
3. The progress of the import.

So an import that is killed at any point and run again stores each line exactly once: the batch is
repeated with the same lines, and each application skips those that it has.

An import is identified by the name of its source and its first line. A later run reads the lines
that are done again, checks that they are the same, and continues after them. It checks a batch that
was stored in part in the same way.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Protocol, TypeVar

from django.db import IntegrityError, transaction
from django.utils import timezone
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from conversations.errors import ImportOvertaken, SourceChanged
from conversations.import_lines import (
    Batch,
    Content,
    Entry,
    Line,
    batches,
    is_export,
    parse_export_line,
    parse_named_message,
)
from conversations.import_source import Source, displayable
from conversations.models import Import, ImportShare, RejectedLine, digest_of
from conversations.named_messages import NamedMessages
from conversations.restored_rows import RestoredRows
from conversations.shares import Added, Plan, store_portion, store_unplaced
from infra.database import in_transaction

if TYPE_CHECKING:
    from hashlib import _Hash

Result = TypeVar("Result")

_OTHER_LINES = "the input begins with different ones"


@dataclass
class Progress:
    """One import: `lines_done` lines are stored; `digest` covers those of earlier runs.

    `lines_begun` is the last line of a batch that an earlier run stored in part, or 0;
    `begun_digest` covers the lines of the batch that was begun last.
    """

    import_id: int
    label: str
    lines_done: int
    digest: str
    lines_begun: int
    begun_digest: str

    def begin(self, batch: Batch) -> None:
        """Record which lines the batch has, in a transaction before any of them is stored.

        Raises SourceChanged if parts of it are stored already and the lines are not the same, and
        ImportOvertaken. It locks the import: so of two rival runs with different lines, only one
        may store them.
        """
        if self.lines_begun > batch.before and self.begun_digest != batch.digest:
            how = f"the input has only {batch.done:,}" if batch.is_cut_short else _OTHER_LINES
            some = f"some of the first {self.lines_begun:,} lines were imported earlier"
            raise SourceChanged(_changed(self, some, how))
        self._update(
            batch,
            (self.begun_digest, batch.digest),
            lines_begun=batch.done,
            begun_digest=batch.digest,
        )

    def end(self, batch: Batch, token: str) -> None:
        """Record that the batch is stored, when all of it is. Raises ImportOvertaken.

        `token` is the application of the lines that follow, if they do not tell it.
        """
        in_transaction(
            partial(
                self._update,
                batch,
                (batch.digest,),
                lines_done=batch.done,
                digest=batch.digest,
                application_token=token,
            )
        )
        self.lines_done = batch.done
        self.begun_digest = batch.digest

    def _update(self, batch: Batch, begun: Sequence[str], **values: object) -> None:
        """Change the import if this batch is the next, and the one begun last is among `begun`."""
        row = Import.objects.filter(
            pk=self.import_id, lines_done=batch.before, begun_digest__in=begun
        )
        if not row.update(**values, updated_at=timezone.now()):
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
    if restart:
        _forget(key)
    with transaction.atomic(durable=True):
        row, _ = Import.objects.get_or_create(**key, defaults=defaults)
    # A batch of which nothing was stored may have other lines now.
    is_begun = ImportShare.objects.filter(of=row, lines_done__gt=row.lines_done).exists()
    return Progress(
        import_id=row.pk,
        label=source.label,
        lines_done=row.lines_done,
        digest=row.digest,
        lines_begun=row.lines_begun if is_begun else 0,
        begun_digest=row.begun_digest,
    )


def _forget(key: Mapping[str, str]) -> None:
    """Delete the import with this key.

    First its progress: without its shares, the lines that they cover would be stored again. What is
    left behind if this is interrupted is never read.
    """
    imports = Import.objects.filter(**key)
    numbers = list(imports.values_list("pk", flat=True))
    imports.filter(pk__in=numbers).delete()
    ImportShare.objects.filter(of__in=numbers).delete()
    RejectedLine.objects.filter(of__in=numbers).delete()


def skip_done(progress: Progress, lines: Iterator[Line], digest: "_Hash") -> Iterator[Line]:
    """The lines that are not done yet. Raises SourceChanged if the done ones are not the same."""
    for number in range(progress.lines_done):
        line = next(lines, None)
        if line is None:
            raise SourceChanged(
                _changed(progress, _done(progress), f"the input has only {number:,}")
            )
        digest.update(line.digest)
    if digest.hexdigest() != progress.digest:
        raise SourceChanged(_changed(progress, _done(progress), _OTHER_LINES))
    return lines


def _done(progress: Progress) -> str:
    return f"{progress.lines_done:,} lines were imported earlier"


def _changed(progress: Progress, done: str, how: str) -> str:
    return (
        f"{progress.label} has changed: {done}, but "
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

    def plan(self, entries: Sequence[Entry]) -> Plan:
        """The parts to store, one application each, in the caller's transaction.

        Each new application gets a token, which a repeat finds again.
        """

    def write(self, token: str, entries: Sequence[Entry]) -> Added:
        """Store these lines of one application in the caller's transaction."""

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
        storage: Storage = NamedMessages()
        parse: Callable[[Line], Content] = parse_named_message
        if is_export(first):
            storage, parse = RestoredRows(progress.import_id), parse_export_line
        done, begun = progress.lines_done, progress.lines_begun
        for batch in batches(rest, done, digest, parse, until=begun):
            with self._uninterrupted():
                _store(batch, progress, storage)
                self.outcome.add(batch)
            self._on_batch(batch)


def _store(batch: Batch, progress: Progress, storage: Storage) -> None:
    """Store the batch and its progress. Raises SourceChanged and ImportOvertaken."""

    def begin() -> Plan:
        progress.begin(batch)
        return storage.plan(batch.entries)

    plan = _transact(begin)
    refused = list(plan.unplaced)
    for portion in plan.portions:
        refused += _transact(
            partial(store_portion, progress.import_id, batch, portion, storage.write)
        )
        storage.committed()
    unplaced = (*batch.rejected, *plan.unplaced)
    _transact(partial(store_unplaced, progress.import_id, batch, unplaced))
    progress.end(batch, plan.token)
    batch.reject(refused)


# Another import that creates the same application at the same time wins by a unique key. The next
# attempt finds what it created.
@retry(
    retry=retry_if_exception_type(IntegrityError),
    stop=stop_after_attempt(10),
    wait=wait_random_exponential(multiplier=0.02, max=1),
    reraise=True,
)
def _transact(work: Callable[[], Result]) -> Result:
    return in_transaction(work)
