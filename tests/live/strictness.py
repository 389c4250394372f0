"""Requests that the server refuses on purpose although h11 accepts them."""

import re
from collections.abc import Callable, Mapping

from tests.live.reference import Heard

#: No line of a head is longer, and no head has more of them.
_LINE, _FIELDS = 8190, 100
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e]*)?\r\n")
_TRAILER = re.compile(rb"([!#$%&'*+.^_`|~\w-]+):[\t\x20-\x7e\x80-\xff]*", re.ASCII)
#: Where they came as trailers, they would change what was sent before (RFC 9110, section 6.5.1).
_NO_TRAILERS = (
    b"host",
    b"content-length",
    b"transfer-encoding",
    b"trailer",
    b"authorization",
    b"te",
)


def _lines(heard: Heard) -> list[bytes]:
    return heard.head.split(b"\r\n")


def _target_has_another_form(heard: Heard) -> bool:
    if heard.target == b"*":
        return heard.method != "OPTIONS"
    return not heard.target.startswith(b"/") and b"://" not in heard.target


def _has_loose_chunks(heard: Heard) -> bool:
    """Whether the body is chunked otherwise than by the letter of RFC 9112, section 7.1."""
    if not heard.values(b"transfer-encoding"):
        return False
    rest = heard.framing.removeprefix(b"\r\n\r\n")
    while size := _SIZE.match(rest):
        if len(size[0]) > _LINE:
            return True
        count, rest = int(size[1], 16), rest[size.end() :]
        if not count:
            return _has_loose_trailers(rest)
        if rest[count : count + 2] != b"\r\n":
            return True
        rest = rest[count + 2 :]
    return True


def _has_loose_trailers(rest: bytes) -> bool:
    trailers = rest.split(b"\r\n")[:-2]
    return (
        not rest.endswith(b"\r\n")
        or len(trailers) > _FIELDS
        or any(
            len(line) > _LINE - 2
            or not (field := _TRAILER.fullmatch(line))
            or field[1].lower() in _NO_TRAILERS
            for line in trailers
        )
    )


STRICTER: Mapping[str, Callable[[Heard], object]] = {
    "a line ends with LF alone, or has a CR in it": lambda heard: re.search(
        rb"(?<!\r)\n|\r(?!\n)", heard.head + b"\r\n" + heard.framing[:4]
    ),
    "a header goes on in the next line": lambda heard: re.search(rb"\n[ \t]", heard.head),
    "a header has a control character": lambda heard: re.search(
        rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", heard.head
    ),
    "versions other than 1.0 and 1.1": lambda heard: heard.version not in ("1.0", "1.1"),
    "a target that does not fit the method": _target_has_another_form,
    "more than a head may have": lambda heard: (
        max(map(len, _lines(heard))) > _LINE - 2 or len(_lines(heard)) > _FIELDS + 1
    ),
    "Host, Content-Length or Content-Type twice": lambda heard: any(
        len(re.findall(rb"(?im)^%s:" % name, heard.head)) > 1
        for name in (b"host", b"content-length", b"content-type")
    ),
    "a list of equal lengths": lambda heard: any(
        b"," in value for value in re.findall(rb"(?im)^content-length:(.*)$", heard.head)
    ),
    "Content-Length beside Transfer-Encoding": lambda heard: (
        re.search(rb"(?im)^content-length:", heard.head) and heard.values(b"transfer-encoding")
    ),
    "chunks that are not as they should be": _has_loose_chunks,
    "an option of a connection in which there is a close": lambda heard: (
        b"close" in b",".join(heard.values(b"connection")).lower()
    ),
    "HTTP/1.0 that asks for more than to be kept": lambda heard: (
        heard.version < "1.1" and b",".join(heard.values(b"connection")).lower() != b"keep-alive"
    ),
    "chunks in HTTP/1.0": lambda heard: (
        heard.version < "1.1" and heard.values(b"transfer-encoding")
    ),
}


def reason(heard: Heard) -> str | None:
    """Why the server may refuse this request; None where it has to answer it."""
    named = (name for name, applies in STRICTER.items() if applies(heard))
    return next(named, None) or next(iter(heard.mended), None)
