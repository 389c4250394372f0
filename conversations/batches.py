"""Lines gathered into batches, each to be stored in one transaction.

A batch says exactly which lines it covers and their digest. A bad or empty last line without its
end is reported but not covered: whoever writes the file may not be done with it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from conversations.digests import Running
from conversations.errors import SourceEndsEarly
from conversations.lines import Line
from conversations.parsing import BadLine, Said, parse

MAX_LINES = 1000
MAX_BYTES = 4 * 1024 * 1024
KEPT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is set aside, and its beginning."""

    line_number: int
    reason: str
    raw: bytes


@dataclass
class Batch:
    """The lines behind line `before` up to line `done`; `digest` covers all up to `done`."""

    before: int
    done: int
    digest: str
    said: list[Said] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    empty: int = 0
    size: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it should be stored before more is added."""
        return self.done - self.before >= MAX_LINES or self.size >= MAX_BYTES

    @property
    def is_worth_storing(self) -> bool:
        """Whether it covers or reports any line."""
        return self.done > self.before or bool(self.rejected)

    def add(self, line: Line, running: Running) -> None:
        """Take the next line."""
        is_good = self._read(line)
        if is_good or line.has_end:
            running.add(line)
            self.done = line.number
            self.digest = running.hex()

    def _read(self, line: Line) -> bool:
        if line.is_empty:
            self.empty += line.has_end
            return False
        try:
            self.said.append(parse(line.content, is_too_long=line.is_too_long))
        except BadLine as bad:
            raw = line.content[:KEPT_BYTES]
            self.rejected.append(Rejected(line.number, bad.detail, raw))
            self.size += len(raw)
            return False
        self.size += len(line.content)
        return True


def batches(lines: Iterable[Line], done: int, running: Running) -> Iterator[Batch]:
    """The lines behind line `done` in batches; `running` has seen all up to there.

    When the input ends early, what was read of it comes first.
    """
    batch = Batch(done, done, running.hex())
    try:
        for line in lines:
            batch.add(line, running)
            if batch.is_full:
                yield batch
                batch = Batch(batch.done, batch.done, batch.digest)
    except SourceEndsEarly:
        if batch.is_worth_storing:
            yield batch
        raise
    if batch.is_worth_storing:
        yield batch
