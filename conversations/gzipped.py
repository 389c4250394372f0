"""Gzip in bounded memory that gives away no text that may be wrong.

What a damaged member yields before its damage is noticed may be wrong, and only the checksum at its
end can tell: text is vouched for once its checksum was right. So an input that can be read twice is
looked through first (`find_damage`). A truncated member is right as far as it goes.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from conversations.errors import SourceBroken, SourceEndsEarly

MAGIC = b"\x1f\x8b"
PIECE = 64 * 1024

_GZIP_ONLY = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Damage:
    """Only the first `vouched` bytes of the text are sure to be right."""

    vouched: int
    reason: str


def gunzip(compressed: Iterator[bytes]) -> Iterator[bytes]:
    """The text of all members in pieces. Raises SourceEndsEarly and SourceBroken."""
    return _Gunzip().text(compressed)


def find_damage(compressed: Iterator[bytes]) -> Damage | None:
    """What is wrong with this gzip, unless all that it yields is right."""
    inflating = _Gunzip()
    try:
        for _ in inflating.text(compressed):
            pass
    except SourceEndsEarly:
        return None
    except SourceBroken as error:
        return Damage(inflating.vouched, error.detail)
    return None


def before(damage: Damage, text: Iterator[bytes]) -> Iterator[bytes]:
    """What of the text is vouched for. Raises SourceEndsEarly behind it."""
    left = damage.vouched
    while left > 0:
        piece = next(text)[:left]
        left -= len(piece)
        yield piece
    raise SourceEndsEarly(damage.reason)


class _Gunzip:
    def __init__(self) -> None:
        self.vouched = 0

    def text(self, compressed: Iterator[bytes]) -> Iterator[bytes]:
        rest = next(compressed, b"")
        while rest:
            member = zlib.decompressobj(wbits=_GZIP_ONLY)
            size = 0
            while not member.eof:
                piece = _inflate(member, rest, nothing_yet=size == 0)
                rest = member.unconsumed_tail
                size += len(piece)
                if piece:
                    yield piece
                elif not (rest or member.eof) and not (rest := next(compressed, b"")):
                    raise SourceEndsEarly("the gzip is truncated")
            self.vouched += size
            rest = _behind_padding(member.unused_data, compressed)


def _inflate(member: "zlib._Decompress", compressed: bytes, *, nothing_yet: bool) -> bytes:
    try:
        return member.decompress(compressed, PIECE)
    except zlib.error as error:
        failure = SourceEndsEarly if nothing_yet else SourceBroken
        raise failure(f"the gzip is damaged ({error})") from None


def _behind_padding(rest: bytes, compressed: Iterator[bytes]) -> bytes:
    """What follows the zeros that may stand behind a member."""
    while not (rest := rest.lstrip(b"\0")):
        if not (rest := next(compressed, b"")):
            break
    return rest
