"""Gunicorn's ASGI protocol, with bounds for clients that are slow, greedy, or many.

It adds a time limit for the arrival of a request, bounds on connections and on their memory, a
response for a client that has closed its sending side, and errors as problem documents.
"""

import socket
from asyncio import Transport
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gunicorn.asgi.protocol import ASGIProtocol, _get_cached_date_header, _get_cached_status_line

from api.asgi import CONNECTION
from infra.timeouts import CLIENT_STALLED_SECONDS

if TYPE_CHECKING:
    from api.connections import Address, Bound
    from api.gunicorn_worker import Worker
    from api.streaming import Stream

#: The parser gets its input in pieces of this size. Bytes behind a whole request stay unparsed.
_PIECE_BYTES = 16 * 1024


class Connection(ASGIProtocol):  # type: ignore[misc] # gunicorn has no types
    """One connection: HTTP/1.1, without upgrades."""

    def __init__(self, worker: "Worker") -> None:
        super().__init__(worker)
        self._connections = worker.connections
        self._arrivals = worker.arrivals
        self._lingers = worker.lingers
        self._address: Address | None = None
        #: Bytes that arrived behind a whole request, before its response.
        self._unparsed = b""
        self._closed: bool
        self._task: Any
        self._callback_parser: Any
        self._is_parsing = False
        self._request_bytes = 0
        self._held_bytes = 0
        self._has_arrival_timeout = False
        self._has_response_begun = False
        self._has_client_finished = False
        self._stream: Stream | None = None
        #: Whether the whole request has arrived: false from its first byte to its last.
        self.is_request_whole = True
        #: There are too many connections: this one serves health alone.
        self.is_spare = False

    # --- The connection ---------------------------------------------------------------------

    def connection_made(self, transport: Transport) -> None:
        """Count the connection, and refuse it beyond the bounds."""
        peer = transport.get_extra_info("peername")
        self._address = self._connections.open(peer[0] if isinstance(peer, tuple) else "")
        client = transport.get_extra_info("socket")
        if client is not None and client.family != socket.AF_UNIX:
            # The kernel drops a client that does not read its response.
            milliseconds = int(CLIENT_STALLED_SECONDS * 1000)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        super().connection_made(transport)
        self._start_arrival_timeout()
        if self._connections.is_overfull():
            self._refuse(503, "There are too many connections.", "connections")
            return
        self.is_spare = self._connections.is_full(self._address)
        self._connections.mark_idle(self._address, self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after a disconnected client. Its requests are completed all the same."""
        self._forget()
        # Hide the task from gunicorn, whose timer would hold each connection in memory for a grace
        # period and then cancel the task. Every wait of a request has a limit of its own.
        task, self._task = self._task, None
        super().connection_lost(exc)
        self._task = task
        self._discard_input()
        if self._request_ready is not None:
            self._request_ready.set()  # gunicorn's loop waits for it
        if self._flow_control is not None:
            self._flow_control.resume_writing()  # a response may wait for it
        self.end_stream()

    def eof_received(self) -> bool:
        """Note that the client sends no more. It still gets a response to each whole request.

        A stream ends: it has no end that the client could wait for.
        """
        self._has_client_finished = True
        self.end_stream()
        if self._closed:
            self.transport.close()
        self._close_if_finished()
        return True  # the sending side stays open

    def close(self) -> None:
        """Close the connection after sending all that has been written."""
        self._close_transport()
        if self._request_ready is not None:
            self._request_ready.set()  # gunicorn's loop waits for it

    def _close_transport(self) -> None:
        """Close the connection; if its request is incomplete, go on reading and discarding first.

        Closing it at once would reset it, and the client might lose the response (RFC 9112, section
        9.6).
        """
        if self._closed:
            return
        lingers = not (self.is_request_whole or self._has_client_finished)
        if lingers:
            self._closed = True
            self._discard_input()
            self._hold(0)
            self._stop_arrival_timeout()
            self._lingers.add(self._abort)
            with suppress(OSError, RuntimeError):
                self.transport.write_eof()
            super()._resume_reading()
        else:
            super()._close_transport()
            self._forget()

    def _discard_input(self) -> None:
        """Drop the buffers of a closed connection, whose bytes are not counted any more."""
        # Parser and connection refer to each other, so both would stay until garbage collection.
        self._unparsed, self._callback_parser = b"", None
        if self._body_receiver is not None:
            self._body_receiver._chunks.clear()
            self._body_receiver.signal_disconnect()

    def _abort(self) -> None:
        self.transport.abort()

    def _forget(self) -> None:
        address, self._address = self._address, None
        if address is not None:
            self._stop_arrival_timeout()
            self._lingers.cancel(self._abort)
            self._connections.release(address, self._held_bytes)
            self._connections.closed(address, self)

    # --- A request arrives ------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take the next bytes: a part of a request, all of it, or several."""
        if self._closed:
            return
        if self._unparsed:
            self._unparsed += data
        else:
            self._parse(data)
        self._hold(self._request_bytes + len(self._unparsed))

    def _parse(self, data: bytes) -> None:
        """Feed the parser up to the end of one request; the rest waits for the response."""
        self._is_parsing = True
        for start in range(0, len(data), _PIECE_BYTES):
            if self._closed:
                break
            if self._is_request_pending():
                self._unparsed = data[start:]
                self._pause_reading()
                break
            super().data_received(data[start : start + _PIECE_BYTES])
        self._is_parsing = False
        self._close_if_finished()

    def _feed_callback_parser(self, data: bytes) -> bool:
        """Feed the parser. Gunicorn also calls this, with bytes left in its parser."""
        if self._closed:
            return False
        if self.is_request_whole:
            self._begin_request()
        self._request_bytes += len(data)
        goes_on: bool = super()._feed_callback_parser(data)
        if goes_on and not self.is_request_whole:
            self._start_arrival_timeout()
        if not self._is_parsing:
            self._close_if_finished()
        return goes_on

    def _begin_request(self) -> None:
        self.is_request_whole = False
        self._has_response_begun = False
        if self._address is not None:
            self._connections.mark_busy(self._address, self)

    def _on_body(self, chunk: bytes) -> None:
        # The body is not read any more once the response has begun.
        if not self._has_response_begun:
            super()._on_body(chunk)

    def _on_message_complete(self) -> None:
        self.is_request_whole = True
        self._stop_arrival_timeout()
        super()._on_message_complete()

    def _is_request_pending(self) -> bool:
        """Whether a whole request has arrived that has no response yet."""
        return self.is_request_whole and self._current_request is not None

    def _close_if_finished(self) -> None:
        """Close the connection if the client sends no more and awaits no response."""
        if self._has_client_finished and not self._unparsed and not self._is_request_pending():
            self.close()

    def _resume_reading(self) -> None:
        """Parse the waiting bytes first, once gunicorn has made its parser ready for them."""
        if self._unparsed:
            self.worker.loop.call_soon(self._parse_waiting)
        else:
            super()._resume_reading()

    def _parse_waiting(self) -> None:
        data, self._unparsed = self._unparsed, b""
        self._parse(data)
        if not self._unparsed and not self._closed:
            super()._resume_reading()

    # --- Bounds -----------------------------------------------------------------------------

    def _hold(self, count: int) -> None:
        """Set the number of bytes that count as held, or refuse the request."""
        if self._address is None:
            return
        if count <= self._held_bytes:
            self._connections.release(self._address, self._held_bytes - count)
        elif not self._connections.hold(self._address, count - self._held_bytes):
            detail = "The server holds too many unfinished requests."
            self._refuse(503, detail, "memory")
            return
        self._held_bytes = count

    def _start_arrival_timeout(self) -> None:
        if not self._has_arrival_timeout:
            self._has_arrival_timeout = True
            self._arrivals.add(self._refuse_late_request)

    def _stop_arrival_timeout(self) -> None:
        if self._has_arrival_timeout:
            self._has_arrival_timeout = False
            self._arrivals.cancel(self._refuse_late_request)

    def _refuse_late_request(self) -> None:
        self._has_arrival_timeout = False
        self._refuse(408, "The request did not arrive in time.", "slow")

    def count_refusal(self, bound: "Bound") -> None:
        """Count a request of this connection that is refused because a bound is reached."""
        self._connections.count_refusal(bound)

    def _refuse(self, status: int, detail: str, bound: "Bound") -> None:
        self.count_refusal(bound)
        self._send_error_response(status, detail)
        self.close()

    def _arm_keepalive_timer(self) -> None:
        """Note that the connection is idle; the worker closes it in time, which costs no timer."""
        # The client may have closed its side since gunicorn decided to keep the connection.
        self._close_if_finished()
        if self.is_request_whole and self._address is not None:
            self._connections.mark_idle(self._address, self)

    # --- Responses ----------------------------------------------------------------------------

    def _build_http_scope(self, request: Any, sockname: Any, peername: Any) -> dict[str, Any]:
        scope: dict[str, Any] = super()._build_http_scope(request, sockname, peername)
        scope["extensions"] = {CONNECTION: self}
        return scope

    async def _serve_http_request(self, request: Any, sockname: Any, peername: Any) -> bool:
        """Handle the request in this task; gunicorn would start another."""
        try:
            keeps_alive: bool = await self._handle_http_request(request, sockname, peername)
            return keeps_alive
        finally:
            self._request_bytes = 0
            self._hold(len(self._unparsed))

    def _is_websocket_upgrade(self, request: Any) -> bool:
        """Ignore an offer to upgrade (RFC 9110, section 7.8)."""
        return False

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:
        if (
            self._stream
            or self._closed
            or self.is_spare
            or not self.is_request_whole
            or _must_close(request)
        ):
            return True
        if (
            self._has_client_finished
            and not self._unparsed
            and not self._callback_parser.remaining()
        ):
            return True
        closes: bool = super()._will_close(request, response_requires_close)
        return closes

    async def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> None:
        """Send a whole response by one system call: ASGI's two messages cost as much as a view."""
        if not self._closed:
            self._respond(status, headers, body)
            await self.drain()

    def _respond(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        request = self._current_request
        self._has_response_begun = True
        if status == HTTPStatus.NO_CONTENT:
            headers = [header for header in headers if header[0] != b"Content-Length"]
        self._safe_write(
            b"".join((
                _get_cached_status_line(request.version, status, HTTPStatus(status).phrase),
                *[b"%b: %b\r\n" % header for header in headers],
                _get_cached_date_header(),
                b"Connection: close\r\n" if self._will_close(request, False) else b"",
                b"\r\n",
                body,
            ))
        )  # fmt: skip

    async def stream(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], stream: "Stream"
    ) -> None:
        """Send a response that goes on until the stream or the connection ends."""
        if self._closed:
            return
        self._stream = stream
        self._connections.streaming.add(self)
        try:
            self._respond(status, headers, b"")
            await stream.serve(self)
        finally:
            self._connections.streaming.discard(self)

    def end_stream(self) -> None:
        """End the response that goes on, if there is one."""
        if self._stream is not None:
            self._stream.end()

    def write(self, data: bytes) -> None:
        """Send a piece of a response that goes on."""
        if not self._closed:
            self._safe_write(data)

    @property
    def is_congested(self) -> bool:
        """Whether more is buffered than the client has taken in time."""
        return bool(self._flow_control.write_paused)

    async def drain(self) -> None:
        """Return when the buffer has room again, or the connection is closed."""
        if self._flow_control.write_paused:
            await self._flow_control.drain()

    def _send_response_start(self, *args: Any, **kwargs: Any) -> None:
        self._has_response_begun = True
        super()._send_response_start(*args, **kwargs)

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        """Send a problem document, unless a response has begun, which it would corrupt."""
        if not self._closed and not self._has_response_begun:
            self._has_response_begun = True
            self._safe_write(self.worker.bare_problem(status, message))


def _must_close(request: Any) -> bool:
    """Whether the connection must be closed after the request.

    Any of several Connection headers may request that; gunicorn looks at the first, its parser at
    the last. And a proxy may disagree on where a body ends whose coding is not just "chunked".
    """
    return any(
        (name == b"connection" and b"close" in value.lower())
        or (name == b"transfer-encoding" and value.lower() != b"chunked")
        for name, value in request.headers_bytes
    )
