"""The input of an import: a file or standard input, recognized as gzip by its first bytes.

A source has a name, under which the progress of the import is stored. It reports each read to
`watcher`, and the total number of bytes where that is known.
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
from conversations.gzip_reader import MAGIC, PIECE, find_damage, gunzip, text_before
from conversations.import_lines import Line, split_lines

STANDARD_INPUT = "-"

#: In both byte orders. The mark of little-endian UTF-32 begins like that of UTF-16.
_UNSUPPORTED_MARKS = (BOM_UTF16_LE, BOM_UTF16_BE, BOM_UTF32_BE)


class Source:
    """An open input: `label` is for messages, `name` identifies it between runs."""

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
        """The number of bytes that will be read; None if unknown. Gzip files are read twice."""
        if self._size is None:
            return None
        return (self._size - self._begin) * (2 if self._is_gzip else 1)

    def lines(self) -> Iterator[Line]:
        """The lines; call it once. Raises SourceUnreadable, SourceTruncated, SourceDamaged."""
        lines = split_lines(self._text())
        for first in islice(lines, 1):
            if first.content.startswith(_UNSUPPORTED_MARKS):
                raise SourceUnreadable(
                    f"{self.label} begins with the byte order mark of UTF-16 or UTF-32, but only "
                    "UTF-8 is supported. Nothing was imported. Convert the file, for example with "
                    "iconv."
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
        return text_before(damage, text) if damage else text

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
    """Open this file, or standard input for `-`. Raises SourceUnreadable."""
    source_name = name or name_of(file)
    if file == STANDARD_INPUT:
        yield Source(cast("BufferedReader", sys.stdin.buffer), file, source_name)
        return
    with _open(file) as stream:
        yield Source(stream, file, source_name)


def name_of(file: str) -> str:
    """The name that identifies this input between runs: the absolute path, or `-`."""
    if file == STANDARD_INPUT:
        return file
    path = Path(file)
    # The path of a pipe, such as /dev/fd/63, resolves to a different name in each run.
    return str(path.absolute() if path.is_fifo() else path.resolve())


def displayable(name: str) -> str:
    """The name as valid text; a path may contain any bytes."""
    return fsencode(name).decode(errors="replace")


def _open(file: str) -> BufferedReader:
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise SourceUnreadable(f"{file} cannot be opened: {error.strerror}") from error


def _size_of(stream: BufferedReader) -> int | None:
    try:
        status = fstat(stream.fileno())
    except OSError:  # an object without a file descriptor
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
