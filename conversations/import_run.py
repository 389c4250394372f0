"""One run of an import: skip the lines that are done, then store batch after batch.

Each batch is one transaction: messages, new chats, rejected lines and the progress itself. Either
all of it is stored or nothing, so an import that is killed at any point and run again stores each
line exactly once. An import is identified by the name of its source and its first line. A later run
reads the lines that are done again, checks that they are the same, and continues after them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from conversations.chat_resolver import ChatResolver, ResolvedChats
from conversations.errors import ImportOvertaken, SourceChanged
from conversations.import_lines import Batch, ImportedMessage, Line, batches
from conversations.import_source import Source, displayable
from conversations.models import Import, ImportShare, RejectedLine, digest_of
from infra.database import in_transaction
from ingest.database_numbers import number_and_insert
from messages_app.records import MESSAGES

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
    messages: int = 0
    rejected: int = 0
    empty: int = 0

    @property
    def lines(self) -> int:
        """The lines handled by this run or an earlier one."""
        return self.skipped + self.messages + self.rejected + self.empty

    @property
    def handled(self) -> int:
        """The lines handled by this run."""
        return self.lines - self.skipped

    def add(self, batch: Batch) -> None:
        """Count a stored batch."""
        self.messages += len(batch.messages)
        self.rejected += len(batch.rejected)
        self.empty += batch.empty


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
        resolver = ChatResolver()
        for batch in batches(rest, progress.lines_done, digest):
            with self._uninterrupted():
                _store(batch, progress, resolver)
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
def _store(batch: Batch, progress: Progress, resolver: ChatResolver) -> None:
    """Store the batch and its progress. Raises ImportOvertaken."""
    chats = in_transaction(partial(_write_rows, batch, progress, resolver))
    resolver.remember(chats)
    progress.lines_done = batch.done


def _write_rows(batch: Batch, progress: Progress, resolver: ChatResolver) -> ResolvedChats:
    progress.advance(batch)
    chats = resolver.resolve(message.chat for message in batch.messages)
    _insert_messages(batch.messages, chats)
    _keep_rejected(batch, progress.import_id)
    _update_shares(batch.messages, chats, progress.import_id)
    return chats


def _insert_messages(messages: Iterable[ImportedMessage], chats: ResolvedChats) -> None:
    """Number the messages within each chat in the order of their lines. Raises NotFound."""
    rows = [MESSAGES.new(chats.keys[message.chat], body=message.body) for message in messages]
    for outcome in number_and_insert(rows):
        if isinstance(outcome, Exception):
            raise outcome


def _keep_rejected(batch: Batch, import_id: int) -> None:
    # An earlier run may have rejected a last line without its newline, which has changed since.
    RejectedLine.objects.filter(of_id=import_id, line_number__gt=batch.before).delete()
    RejectedLine.objects.bulk_create(
        RejectedLine(of_id=import_id, line_number=one.line_number, reason=one.reason, raw=one.raw)
        for one in batch.rejected
    )


def _update_shares(
    messages: Iterable[ImportedMessage], chats: ResolvedChats, import_id: int
) -> None:
    """Add the batch to the totals of this import for each application."""
    counts = Counter(chats.keys[message.chat].application_token for message in messages)
    new_chats = Counter(chats.keys[name].application_token for name in chats.new)
    names = {key.application_token: name.application for name, key in chats.keys.items()}
    for token, count in counts.items():
        share, _ = ImportShare.objects.get_or_create(
            of_id=import_id, application_token=token, defaults={"name": names[token]}
        )
        ImportShare.objects.filter(pk=share.pk).update(
            messages=F("messages") + count, chats=F("chats") + new_chats[token]
        )
