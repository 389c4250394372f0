"""The input of an import: a file or standard input, recognized as gzip by its first bytes.

A source has a name, under which the progress of the import is stored. It reports each read to
`watcher`, and the total number of bytes where that is known.

Gzip is decompressed in bounded memory, without yielding text that may be wrong: the text of a
damaged member may be wrong before the damage is noticed, and only the checksum at the end of the
member can prove it right. Text is verified once its checksum matched, so an input that can be read
twice is checked first (`find_damage`). The text of a truncated member is right.
"""

import stat
import sys
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from os import fsencode, fstat
from pathlib import Path
from typing import cast

from conversations.errors import SourceDamaged, SourceTruncated, SourceUnreadable
from conversations.import_lines import Line, split_lines

MAGIC = b"\x1f\x8b"
PIECE = 64 * 1024

_GZIP_ONLY = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Damage:
    """Damaged gzip: only the first `verified` bytes of the text are certainly right."""

    verified: int
    reason: str


def gunzip(compressed: Iterator[bytes]) -> Iterator[bytes]:
    """The text of all members in pieces. Raises SourceTruncated and SourceDamaged."""
    return _Gunzip().text(compressed)


def find_damage(compressed: Iterator[bytes]) -> Damage | None:
    """The damage of this gzip; None if all of its text is right, even if it is truncated."""
    reader = _Gunzip()
    try:
        for _ in reader.text(compressed):
            pass
    except SourceTruncated:
        return None
    except SourceDamaged as error:
        return Damage(reader.verified, error.detail)
    return None


def text_before(damage: Damage, text: Iterator[bytes]) -> Iterator[bytes]:
    """The verified part of the text. Raises SourceTruncated after it."""
    left = damage.verified
    while left > 0:
        piece = next(text)[:left]
        left -= len(piece)
        yield piece
    raise SourceTruncated(damage.reason)


class _Gunzip:
    def __init__(self) -> None:
        self.verified = 0

    def text(self, compressed: Iterator[bytes]) -> Iterator[bytes]:
        rest = next(compressed, b"")
        while rest:
            member = zlib.decompressobj(wbits=_GZIP_ONLY)
            size = 0
            while not member.eof:
                piece = _inflate(member, rest, is_at_start=size == 0)
                rest = member.unconsumed_tail
                size += len(piece)
                if piece:
                    yield piece
                elif not (rest or member.eof) and not (rest := next(compressed, b"")):
                    raise SourceTruncated("the gzip is truncated")
            self.verified += size
            rest = _after_padding(member.unused_data, compressed)


def _inflate(member: "zlib._Decompress", compressed: bytes, *, is_at_start: bool) -> bytes:
    try:
        return member.decompress(compressed, PIECE)
    except zlib.error as error:
        failure = SourceTruncated if is_at_start else SourceDamaged
        raise failure(f"the gzip is damaged ({error})") from None


def _after_padding(rest: bytes, compressed: Iterator[bytes]) -> bytes:
    """The bytes after the zeros that may pad the end of a member."""
    while not (rest := rest.lstrip(b"\0")):
        if not (rest := next(compressed, b"")):
            break
    return rest


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
