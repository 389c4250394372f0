"""Sends raw bytes to servers, which may respond, refuse or close the connection."""

import socket
from contextlib import suppress
from http.client import HTTPMessage, HTTPResponse
from io import BytesIO
from types import SimpleNamespace
from typing import NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    """What came back; all of it empty when nothing came."""

    status: int
    body: bytes
    headers: HTTPMessage


def raw(
    method: str | bytes,
    target: bytes,
    *headers: str | bytes,
    body: bytes = b"",
    host: bytes | None = b"localhost",
    version: bytes = b"HTTP/1.1",
) -> bytes:
    """A request that is as well-formed as its parts; nothing is added but Host and Connection."""
    lines = [b"%s %s %s" % (_bytes(method), target, version)]
    lines += [] if host is None else [b"Host: " + host]
    lines += [b"Connection: close", *map(_bytes, headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def received(base_url: str, request: bytes, *, hang_up: bool = False) -> bytes:
    """All that a server sends for these very bytes until it hangs up."""
    address = urlsplit(base_url)
    answer = b""
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        with suppress(OSError):  # a server may have enough before it has read everything
            connection.sendall(request)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while some := connection.recv(65536):
                answer += some
    return answer


def exchange(base_url: str, request: bytes, *, hang_up: bool = False) -> Answer:
    """The answer to these very bytes."""
    bytes_ = received(base_url, request, hang_up=hang_up)
    if not bytes_:
        return Answer(0, b"", HTTPMessage())
    # All that it wants of a socket is a file.
    answer = HTTPResponse(SimpleNamespace(makefile=lambda _: BytesIO(bytes_)))  # type: ignore[arg-type]
    answer.begin()
    return Answer(answer.status, answer.read(), answer.headers)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
