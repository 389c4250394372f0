"""Lines of any length from pieces of any size, none held beyond a bound.

A line knows its number and a digest of all its bytes. The last one may lack its end: whoever writes
the file may not be done with it.

A byte order mark in front of a line is no part of its content: a file may begin with one, and so
does each of several that were joined. The digest covers it, as it covers all bytes: an import that
was begun before marks were taken off is still found by it.
"""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

MAX_LINE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end; of one that is too long, the beginning."""

    number: int
    content: bytes
    digest: bytes
    is_too_long: bool = False
    has_end: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing on it."""
        return not self.is_too_long and not self.content.strip()


def lines_of(pieces: Iterable[bytes]) -> Iterator[Line]:
    """The lines, numbered from 1. What `pieces` raises ends them; a line begun by then is lost."""
    line = _Beginning(1)
    for piece in pieces:
        *ended, rest = piece.split(b"\n")
        for part in ended:
            line.add(part)
            yield line.line()
            line = _Beginning(line.number + 1)
        line.add(rest)
    if line.size:
        yield line.line(has_end=False)


class _Beginning:
    """A line of which more may come."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.size = 0
        self._content = b""
        self._digest = sha256()

    def add(self, part: bytes) -> None:
        """Take what follows; keep of it what the bound allows."""
        if self.size <= MAX_LINE_BYTES + len(BOM_UTF8):
            self._content += part
        self.size += len(part)
        self._digest.update(part)

    def line(self, *, has_end: bool = True) -> Line:
        """The line as it is now."""
        content = self._content.removeprefix(BOM_UTF8)
        mark = len(self._content) - len(content)
        return Line(
            number=self.number,
            content=content[:MAX_LINE_BYTES],
            digest=self._digest.digest(),
            is_too_long=self.size - mark > MAX_LINE_BYTES,
            has_end=has_end,
        )
