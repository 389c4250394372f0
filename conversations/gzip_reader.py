"""Decompresses gzip in bounded memory, without yielding text that may be wrong.

The text of a damaged member may be wrong before the damage is noticed, and only the checksum at the
end of the member can prove it right: text is verified once its checksum matched. So an input that
can be read twice is checked first (`find_damage`). The text of a truncated member is right.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from conversations.errors import SourceDamaged, SourceTruncated

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
