"""Bytes that are wrong, or only unusual, and what a server should answer them (RFC 9110, 9112)."""

import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

_LIMIT_SECONDS = 10
_POST = b"POST %(path)b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
_GET = b"GET %(path)b HTTP/1.1\r\nHost: 127.0.0.1\r\n"
_BODY = b'{"body": "x"}'
_LENGTH = b"Content-Length: 13\r\n"
_CHUNKED = b"d\r\n" + _BODY + b"\r\n0\r\n\r\n"
_REFUSED = (400, 405, 501)


@dataclass(frozen=True)
class Fault:
    """`sent` to the address of the messages; `right` are the statuses that may answer it.

    With `ends` the client closes its sending side behind it.
    """

    name: str
    sent: bytes
    right: Collection[int]
    ends: bool = False


FAULTS: Sequence[Fault] = (
    Fault(
        "half-close while the create is at work",
        _POST + _LENGTH + b"\r\n" + _BODY,
        (201,),
        ends=True,
    ),
    Fault(
        "Content-Length and Transfer-Encoding",
        _POST + _LENGTH + b"Transfer-Encoding: chunked\r\n\r\n" + _CHUNKED,
        (400,),
    ),
    Fault(
        "Transfer-Encoding: gzip, chunked",
        _POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + _CHUNKED,
        (400, 501),
    ),
    Fault("lines that end in a bare LF", _GET.replace(b"\r\n", b"\n") + b"\n", (400,)),
    Fault("two Hosts", _GET + b"Host: elsewhere\r\n\r\n", (400,)),
    Fault("a folded header", _GET + b"X-Long: a\r\n b\r\n\r\n", (400,)),
    Fault("a method in lower case", _GET.replace(b"GET", b"get") + b"\r\n", _REFUSED),
    Fault(
        "Upgrade: h2c, with a body",
        _POST + b"Connection: upgrade\r\nUpgrade: h2c\r\n" + _LENGTH + b"\r\n" + _BODY,
        (201,),
    ),
    Fault(
        "a whole request, then garbage", _POST + _LENGTH + b"\r\n" + _BODY + b"\0\0\r\n\r\n", (201,)
    ),
    Fault(
        "chunks with trailers",
        _POST + b"Transfer-Encoding: chunked\r\n\r\n" + _CHUNKED[:-2] + b"X-Sum: 1\r\n\r\n",
        (201, 400),
    ),
)


def answer(base_url: str, path: str, fault: Fault) -> str:
    """The first status that the server answers, or that it says nothing; wrong ones with a mark."""
    place = urlsplit(base_url)
    with socket.create_connection((place.hostname, place.port), _LIMIT_SECONDS) as client:
        client.sendall(fault.sent % {b"path": path.encode()})
        if fault.ends:
            client.shutdown(socket.SHUT_WR)
        status = _status(client)
    return f"{status or 'nothing'}{'' if status in fault.right else ' (wrong)'}"


def _status(client: socket.socket) -> int:
    """0 where the connection ends before there is one."""
    received = b""
    try:
        while len(received) < len(b"HTTP/1.1 200"):
            if not (piece := client.recv(4096)):
                return 0
            received += piece
    except OSError:
        return 0
    return int(received[9:12])
