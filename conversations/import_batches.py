"""Batches of lines, each to be stored in one transaction.

A batch records exactly which lines it covers, and their digest. An invalid or empty last line
without a newline is reported but not covered: it may be incomplete.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from conversations.errors import InvalidLine, SourceTruncated
from conversations.import_lines import ImportedMessage, Line, LinesDigest, parse

MAX_LINES = 1000
MAX_BYTES = 4 * 1024 * 1024
#: Bytes that are kept of a rejected line.
KEPT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Rejection:
    """A line that cannot be imported; `raw` is its beginning."""

    line_number: int
    reason: str
    raw: bytes


@dataclass
class Batch:
    """The lines after line `before`, up to line `done`; `digest` covers all lines up to `done`."""

    before: int
    done: int
    digest: str
    messages: list[ImportedMessage] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    empty: int = 0
    size: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the batch should be stored before further lines are added."""
        return self.done - self.before >= MAX_LINES or self.size >= MAX_BYTES

    @property
    def has_content(self) -> bool:
        """Whether the batch covers or reports any line."""
        return self.done > self.before or bool(self.rejected)

    def add(self, line: Line, digest: LinesDigest) -> None:
        """Add the next line."""
        has_message = self._add_content(line)
        if has_message or line.has_newline:
            digest.add(line)
            self.done = line.number
            self.digest = digest.hex()

    def _add_content(self, line: Line) -> bool:
        if line.is_empty:
            self.empty += line.has_newline
            return False
        try:
            self.messages.append(parse(line))
        except InvalidLine as invalid:
            raw = line.content[:KEPT_BYTES]
            self.rejected.append(Rejection(line.number, invalid.detail, raw))
            self.size += len(raw)
            return False
        self.size += len(line.content)
        return True


def batches(lines: Iterable[Line], done: int, digest: LinesDigest) -> Iterator[Batch]:
    """The lines after line `done`, in batches; `digest` covers the lines up to there.

    If the input is truncated, the lines before that come first. Raises SourceTruncated then.
    """
    batch = Batch(done, done, digest.hex())
    try:
        for line in lines:
            batch.add(line, digest)
            if batch.is_full:
                yield batch
                batch = Batch(batch.done, batch.done, batch.digest)
    except SourceTruncated:
        if batch.has_content:
            yield batch
        raise
    if batch.has_content:
        yield batch
