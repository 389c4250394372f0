"""HTTP/1.1 by uvicorn, with limits for what is slow or endless, and bare refusals.

A connection has so long to bring its first request, and each request so long from its first byte to
its last; a head has so many bytes. What the server refuses by itself is a status and nothing more.
"""

import re
import socket
from asyncio import Transport
from enum import IntEnum
from functools import partial
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from chatsystem.event_loop import AT_ONCE, Answer
from core.deadlines import Deadlines
from core.timeouts import CLIENT_STALLED_SECONDS, REQUEST_ARRIVAL_SECONDS

#: What one read brings may be above it.
MAX_HEAD_BYTES = 64 * 1024

#: With which nearly all requests begin.
_USUAL = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ")
#: What else may stand for a method (RFC 9110, 5.6.2), and what may become one. PRI is none: with it
#: begins HTTP/2 (RFC 9113, 3.4).
_METHOD = re.compile(rb"(?!PRI )([!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}) ")
_BEGINNING = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{0,40}\Z")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_deadlines = Deadlines(REQUEST_ARRIVAL_SECONDS)


class _Part(IntEnum):
    """What of a request is expected next."""

    METHOD = 1
    LINE = 2
    HEADERS = 3
    BODY = 4


async def _send(cycle: RequestResponseCycle, answer: Answer) -> None:
    """Head and body in one piece, since each piece costs a system call; uvicorn sends two."""
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if cycle.disconnected:
        return
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    head = [f"{name}: {value}\r\n" for name, value in answer.headers]
    if not cycle.keep_alive:
        head.append("connection: close\r\n")
    cycle.transport.write(
        b"".join((
            STATUS_LINE[answer.status],
            *(b"%b: %b\r\n" % header for header in cycle.default_headers),
            "".join(head).encode("latin-1"),
            b"\r\n",
            b"" if cycle.scope["method"] == "HEAD" else answer.body,
        ))
    )  # fmt: skip
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_incomplete = True
        self._is_awaited = False
        self._part = _Part.METHOD
        self._head_bytes = 0
        self._held = b""
        self._method = ""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as uvicorn
        """A client is there."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family != socket.AF_UNIX:
            # A client that takes no answer: the kernel gives it up.
            milliseconds = int(CLIENT_STALLED_SECONDS * 1000)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        self._await()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._await_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some of a request came, or all of it, or several."""
        if self._part < _Part.BODY:
            data = self._readable(data)
            self._head_bytes += len(data)
        if data:
            super().data_received(data)
        if not self._is_incomplete:
            self._await_no_more()
            return
        if self._part < _Part.BODY and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif not self._is_awaited and not self.transport.is_closing():
            self._await()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._is_incomplete = True
        if self._part == _Part.METHOD:
            # It came together with the one before: the parser has its line already.
            self._part = _Part.HEADERS

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._part = _Part.BODY
        super().on_headers_complete()
        if self._method:
            self.scope["method"], self._method = self._method, ""
        self.scope["extensions"] = {AT_ONCE: partial(_send, self.cycle)}  # type: ignore[dict-item] # a call is not foreseen

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._is_incomplete = False
        self._part = _Part.METHOD
        self._head_bytes = 0
        super().on_message_complete()

    def _readable(self, data: bytes) -> bytes:
        """What has come of a head, as the parser takes it.

        Of methods it refuses those that it does not know, which the application answers. Of a URL
        it takes what a URL may have, where curl and others send plain UTF-8.
        """
        if self._part == _Part.METHOD:
            data = self._with_known_method(data)
        if self._part != _Part.LINE:
            return data
        line, end, rest = data.partition(b"\n")
        if end:
            self._part = _Part.HEADERS
        if line.isascii():
            return data
        return _NOT_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], line) + end + rest

    def _with_known_method(self, data: bytes) -> bytes:
        """With a usual method for any other, which is remembered; nothing while it may go on."""
        if not data.startswith(_USUAL):
            data, self._held = (self._held + data).lstrip(b"\r\n"), b""
            if _BEGINNING.match(data):
                self._held = data
                return b""
            method = _METHOD.match(data)
            if method and not data.startswith(_USUAL):
                self._method = method[1].decode()
                data = _USUAL[0] + data[method.end() :]
        self._part = _Part.LINE
        return data

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST)

    def _await(self) -> None:
        self._is_awaited = True
        _deadlines.set(self._give_up)

    def _await_no_more(self) -> None:
        if self._is_awaited:
            self._is_awaited = False
            _deadlines.meet(self._give_up)

    def _give_up(self) -> None:
        self._is_awaited = False
        self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        """Say so, unless an answer is under way, and close the connection."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            line = f"HTTP/1.1 {status} {status.phrase}\r\n"
            self.transport.write(f"{line}connection: close\r\ncontent-length: 0\r\n\r\n".encode())
        self.transport.close()
