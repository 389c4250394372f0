"""The input of an import: a file or standard input, plain or gzip by its first bytes.

It knows the name that progress is kept under, and can be watched: `total` bytes, when that is
known, of which each read is reported.
"""

import stat
import sys
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from itertools import islice
from os import fsencode, fstat
from pathlib import Path
from typing import cast

from conversations.errors import SourceUnreadable
from conversations.gzipped import MAGIC, PIECE, before, find_damage, gunzip
from conversations.lines import Line, lines_of

STANDARD_INPUT = "-"

#: In either order of bytes. UTF-32 in the usual order begins like UTF-16.
_OTHER_MARKS = (BOM_UTF16_LE, BOM_UTF16_BE, BOM_UTF32_BE)


class Source:
    """An open input: `label` as the operator wrote it, `name` as progress is kept."""

    def __init__(self, stream: BufferedReader, label: str, name: str) -> None:
        self.label = label
        self.name = name
        self.watcher: Callable[[int], object] = lambda _: None
        self._stream = stream
        self._size = _size_of(stream)
        self._begin = stream.tell() if self._size is not None else 0
        self._head = self._read_head()
        self._is_gzip = self._head == MAGIC

    @property
    def total(self) -> int | None:
        """How many bytes will be read; None when nobody can know."""
        if self._size is None:
            return None
        return (self._size - self._begin) * (2 if self._is_gzip else 1)

    def lines(self) -> Iterator[Line]:
        """The lines. Raises SourceUnreadable, SourceEndsEarly, SourceBroken. To be called once."""
        lines = lines_of(self._text())
        for first in islice(lines, 1):
            if first.content.startswith(_OTHER_MARKS):
                raise SourceUnreadable(
                    f"{self.label} begins with the byte order mark of UTF-16 or UTF-32; only UTF-8 "
                    "is read. Nothing was imported: convert the file first, for example by iconv."
                )
            yield first
        yield from lines

    def _text(self) -> Iterator[bytes]:
        if not self._is_gzip:
            return self._pieces(self._head)
        if self._size is None:
            return gunzip(self._pieces(self._head))
        damage = find_damage(self._pieces(self._head))
        self._stream.seek(self._begin)
        text = gunzip(self._pieces())
        return before(damage, text) if damage else text

    def _pieces(self, head: bytes = b"") -> Iterator[bytes]:
        piece = head or self._read(PIECE)
        while piece:
            self.watcher(len(piece))
            yield piece
            piece = self._read(PIECE)

    def _read_head(self) -> bytes:
        head = b""
        while len(head) < len(MAGIC) and (byte := self._read(1)):
            head += byte
        return head

    def _read(self, size: int) -> bytes:
        try:
            return self._stream.read1(size)
        except OSError as error:
            raise SourceUnreadable(f"{self.label} cannot be read: {error.strerror}") from error


@contextmanager
def open_source(file: str, name: str | None = None) -> Iterator[Source]:
    """The input called `file`, for `-` standard input. Raises SourceUnreadable."""
    known_as = name or name_of(file)
    if file == STANDARD_INPUT:
        yield Source(cast("BufferedReader", sys.stdin.buffer), file, known_as)
        return
    with _open(file) as stream:
        yield Source(stream, file, known_as)


def name_of(file: str) -> str:
    """What tells this input from others: the absolute path, or `-`."""
    if file == STANDARD_INPUT:
        return file
    path = Path(file)
    # A pipe has a path that stays the same from run to run, and leads to one that does not.
    known_as = path.absolute() if path.is_fifo() else path.resolve()
    return str(known_as)


def readable(name: str) -> str:
    """The name as text that can be stored and shown; a path may be any bytes."""
    return fsencode(name).decode(errors="replace")


def _open(file: str) -> BufferedReader:
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise SourceUnreadable(f"{file} cannot be opened: {error.strerror}") from error


def _size_of(stream: BufferedReader) -> int | None:
    try:
        status = fstat(stream.fileno())
    except OSError:  # not a file of the system's
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
