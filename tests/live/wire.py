"""A raw connection: sends any bytes and parses the responses strictly."""

import select
import socket
import ssl
import struct
from collections.abc import Callable
from typing import BinaryIO, NamedTuple, Self
from urllib.parse import urlsplit

#: No answer takes longer, on a crowded machine either.
LIMIT_S = 30.0


class Answer(NamedTuple):
    """One answer; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def request_id(self) -> str:
        """The id of the answered request."""
        return self.headers.get("x-request-id", "")

    @property
    def is_last(self) -> bool:
        """Whether the server says that it closes the connection."""
        return "close" in self.headers.get("connection", "").lower()


class Garbled(AssertionError):
    """The bytes of a response are not HTTP."""


class Wire:
    """A connection to a server, from any address of this machine."""

    def __init__(
        self,
        url: str,
        *,
        source: str = "127.0.0.1",
        within: float = LIMIT_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        address = urlsplit(url)
        assert address.hostname
        assert address.port
        self._socket = socket.create_connection(
            (address.hostname, address.port), within, (source, 0)
        )
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self._socket = tls.wrap_socket(self._socket, server_hostname=address.hostname)
        self._file: BinaryIO = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, *segments: bytes) -> bool:
        """Send the segments one after another; false if the server has closed the connection."""
        try:
            for segment in segments:
                self._socket.sendall(segment)
        except (ConnectionError, ssl.SSLError):
            return False
        return True

    def says_something(self, within: float) -> bool:
        """Whether an answer comes, or an end, within so many seconds."""
        return bool(select.select([self._socket], [], [], within)[0])

    def end(self) -> None:
        """Close the sending side."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:  # the server has closed it all
            return

    def close(self) -> None:
        """Close it."""
        self._file.close()
        self._socket.close()

    def abort(self) -> None:
        """Reset the connection: the server loses unsent data."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def answer(
        self,
        *,
        is_to_head: Callable[[str], bool] = lambda _: False,
        interim: list[int] | None = None,
    ) -> Answer | None:
        """The next answer; None where the server has closed the connection instead.

        `is_to_head` says by its X-Request-ID whether an answer has no body. The statuses of interim
        answers are added to `interim`. Raises Garbled, TimeoutError.
        """
        while True:
            try:
                line = self._file.readline(65536)
            except (ConnectionError, ssl.SSLError):
                return None
            if not line:
                return None
            status = _status(line)
            headers = self._headers()
            if status >= 200:
                break
            if interim is None or headers:
                raise Garbled(line)
            interim.append(status)
        body = b""
        if status not in (204, 304) and not is_to_head(headers.get("x-request-id", "")):
            body = self._body(headers)
        return Answer(status, headers, body)

    def rest(self) -> bytes:
        """All bytes until the server closes the connection. Raises TimeoutError."""
        try:
            return self._file.read()
        except ConnectionError:
            return b""

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        while (line := self._file.readline(65536)) != b"\r\n":
            name, colon, value = line.removesuffix(b"\r\n").decode("latin-1").partition(":")
            if not colon or not line.endswith(b"\r\n") or name.lower() in headers:
                raise Garbled(line)
            headers[name.lower()] = value.strip()
        return headers

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            return self._chunks()
        length = headers.get("content-length", "")
        if not length.isdecimal():
            raise Garbled(headers)
        return self._exactly(int(length))

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._file.readline(100), 16):
            body += self._exactly(size)
            self._exactly(2)
        self._exactly(2)
        return body

    def _exactly(self, count: int) -> bytes:
        some = self._file.read(count)
        if len(some) != count:
            raise Garbled(some)
        return some


def _status(line: bytes) -> int:
    version, _, rest = line.partition(b" ")
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or not rest[:3].isdigit():
        raise Garbled(line)
    return int(rest[:3])
