"""Gunicorn's ASGI worker, with bounds for clients that are slow, greedy, or many.

Gunicorn parses HTTP, frames answers and supervises the processes. Added here is what it lacks: a
limit on the time in which a request must arrive, a bound on connections and on what they hold,
an answer for a client that has closed its sending side, and errors as problem documents.

All use of gunicorn's private API is in this module; tests/live/test_worker.py shows what breaks
after an upgrade, and pyproject.toml bounds the version.
"""

import asyncio
import os
import resource
import socket
from asyncio import Transport
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.conf import settings
from gunicorn.asgi.protocol import (
    ASGIProtocol,
    _get_cached_date_header,
    _get_cached_status_line,
)
from gunicorn.glogging import Logger
from gunicorn.workers.gasgi import ASGIWorker

from api.asgi import CONNECTION
from infra.timeout_queue import TimeoutQueue
from infra.timeouts import (
    CLIENT_LINGER_SECONDS,
    CLIENT_STALLED_SECONDS,
    REQUEST_ARRIVAL_SECONDS,
    SERVER_KEEPALIVE_SECONDS,
)

if TYPE_CHECKING:
    from api.connections import Address, Bound

#: Files of a process besides its connections: services, the database, logs, metrics.
OTHER_FILES = 256

#: The parser is fed piece by piece: what follows a whole request waits outside of it, unparsed.
_PIECE_BYTES = 16 * 1024
#: The process shows this often that it lives.
_NOTIFY_SECONDS = 1.0
#: A process that ends closes a connection when it was idle for this long.
_FAREWELL_SECONDS = 1.0


class Log(Logger):  # type: ignore[misc] # gunicorn has no types
    """Gunicorn's log, without lines about requests.

    A `logconfig_dict` switches those on, and a line costs a tenth of a create even where no handler
    takes it.
    """

    @property
    def access_log_enabled(self) -> bool:
        """Never."""
        return False


class Worker(ASGIWorker):  # type: ignore[misc] # gunicorn has no types
    """One web process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_ending = asyncio.Event()

    def load_wsgi(self) -> None:
        """Load the application, and then what needs Django."""
        super().load_wsgi()
        # The process that forks this one has neither Django nor counters.
        from api.connections import Connections  # noqa: PLC0415
        from api.problems import bare_problem  # noqa: PLC0415

        environment = settings.ENVIRONMENT
        self.bare_problem = bare_problem
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.connections = Connections(
            min(environment.web_connections, max(files - OTHER_FILES, 1)),
            environment.web_connections_per_address,
            environment.web_request_bytes,
        )
        # It keeps what it finds in the class by which it is called, and looks in its own.
        ASGIProtocol._check_h1c_protocol_available()
        self.arrivals = TimeoutQueue(REQUEST_ARRIVAL_SECONDS)
        self.keepalives = TimeoutQueue(SERVER_KEEPALIVE_SECONDS)
        self.lingers = TimeoutQueue(CLIENT_LINGER_SECONDS)

    async def _serve(self) -> None:
        """As gunicorn's, with its own protocol and the whole backlog."""
        for listener in self.sockets:
            server = await self.loop.create_server(
                partial(Connection, self), sock=listener.sock, backlog=self.cfg.backlog
            )
            self.servers.append(server)
        while self.alive and not self._is_ending.is_set() and self.ppid == os.getppid():
            self.notify()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_ending.wait(), _NOTIFY_SECONDS)
        if not self._quick_shutdown:
            await self._take_leave()
        # An idle connection would keep the process until it times out.
        self.connections.close_idle()
        await self._shutdown()

    async def _take_leave(self) -> None:
        """Take no more connections, and lose no request that is on its way by one."""
        accepted = []
        for listener, server in zip(self.sockets, self.servers, strict=True):
            # The kernel resets what has connected when the listener is closed.
            with suppress(BlockingIOError):
                while True:
                    accepted.append(listener.sock.accept()[0])
            server.close()
        for client in accepted:
            await self.loop.connect_accepted_socket(partial(Connection, self), client)
        # From here on each answer ends its connection. Not before: its client would come again.
        self.alive = False
        if self.nr_conns:
            await asyncio.sleep(_FAREWELL_SECONDS)

    def handle_exit_signal(self) -> None:
        """SIGTERM: the process ends gracefully, beginning at once."""
        self._is_ending.set()

    def handle_quit_signal(self) -> None:
        """SIGINT or SIGQUIT: it ends quickly."""
        super().handle_quit_signal()
        self._is_ending.set()


class Connection(ASGIProtocol):  # type: ignore[misc] # gunicorn has no types
    """One connection: HTTP/1.1, without upgrades."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker)
        self._connections = worker.connections
        self._arrivals = worker.arrivals
        self._keepalives = worker.keepalives
        self._lingers = worker.lingers
        self._address: Address | None = None
        #: What came behind a whole request, before that was answered.
        self._later = b""
        self._closed: bool
        self._task: Any
        self._callback_parser: Any
        self._is_parsing = False
        self._request_bytes = 0
        self._held_bytes = 0
        self._is_awaited = False
        self._has_answer_begun = False
        self._has_client_ended = False
        #: False from the first byte of a request to its last.
        self.is_request_whole = True
        #: There are too many connections: only health can be asked for on this one.
        self.is_spare = False

    # --- The connection ---------------------------------------------------------------------

    def connection_made(self, transport: Transport) -> None:
        """A client is there."""
        peer = transport.get_extra_info("peername")
        self._address = self._connections.enter(peer[0] if isinstance(peer, tuple) else "")
        client = transport.get_extra_info("socket")
        if client is not None and client.family != socket.AF_UNIX:
            # A client that takes no answer: the kernel gives it up.
            milliseconds = int(CLIENT_STALLED_SECONDS * 1000)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        super().connection_made(transport)
        self._await_request()
        if self._connections.is_overfull():
            self._refuse(503, "There are too many connections.", "connections")
            return
        self.is_spare = self._connections.is_full(self._address)
        self._connections.idle(self._address, self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone. What it has asked for is finished all the same."""
        self._leave()
        # Gunicorn's timer, which cancels what runs after a time of grace, would hold each
        # connection for so long. Every wait of a request has a limit of its own.
        task, self._task = self._task, None
        super().connection_lost(exc)
        self._task = task
        self._drop_what_came()
        if self._request_ready is not None:
            self._request_ready.set()  # gunicorn's loop waits for it

    def eof_received(self) -> bool:
        """The client sends no more; it still gets the answers to what it has sent as a whole."""
        self._has_client_ended = True
        if self._closed:
            self.transport.close()
        self._close_if_cut()
        return True  # the sending side stays open

    def close(self) -> None:
        """Close the connection, once what has been written is sent."""
        self._close_transport()
        if self._request_ready is not None:
            self._request_ready.set()  # gunicorn's loop waits for it

    def _close_transport(self) -> None:
        """Close the connection; one whose request has not been read goes on to be read for a while.

        To close it at once would reset it, and the client might lose the answer (RFC 9112, section
        9.6). What still comes is thrown away.
        """
        if self._closed:
            return
        lingers = not (self.is_request_whole or self._has_client_ended)
        if lingers:
            self._closed = True
            self._drop_what_came()
            self._hold(0)
            self._await_no_more()
            self._lingers.set(self._abort)
            with suppress(OSError, RuntimeError):
                self.transport.write_eof()
            super()._resume_reading()
        else:
            super()._close_transport()
            self._leave()

    def _drop_what_came(self) -> None:
        """Of a connection that is closed: nobody counts it any more."""
        # The parser refers to the connection, so both would stay until the garbage is collected.
        self._later, self._callback_parser = b"", None
        if self._body_receiver is not None:
            self._body_receiver._chunks.clear()
            self._body_receiver.signal_disconnect()

    def _abort(self) -> None:
        self.transport.abort()

    def _leave(self) -> None:
        address, self._address = self._address, None
        if address is not None:
            self._await_no_more()
            self._cancel_keepalive_timer()
            self._lingers.meet(self._abort)
            self._connections.release(address, self._held_bytes)
            self._connections.leave(address, self)

    # --- A request arrives ------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Some of a request came, or all of it, or several."""
        if self._closed:
            return
        if self._later:
            self._later += data
        else:
            self._parse(data)
        self._hold(self._request_bytes + len(self._later))

    def _parse(self, data: bytes) -> None:
        """Feed the parser up to the end of one request; the rest waits for its answer."""
        self._is_parsing = True
        for start in range(0, len(data), _PIECE_BYTES):
            if self._closed:
                break
            if self._is_request_under_way():
                self._later = data[start:]
                self._pause_reading()
                break
            super().data_received(data[start : start + _PIECE_BYTES])
        self._is_parsing = False
        self._close_if_cut()

    def _feed_callback_parser(self, data: bytes) -> bool:
        """Also called by gunicorn, for what its parser holds behind a request."""
        if self._closed:
            return False
        if self.is_request_whole:
            self._begin()
        self._request_bytes += len(data)
        goes_on: bool = super()._feed_callback_parser(data)
        if goes_on and not self.is_request_whole:
            self._await_request()
        if not self._is_parsing:
            self._close_if_cut()
        return goes_on

    def _begin(self) -> None:
        self.is_request_whole = False
        self._has_answer_begun = False
        if self._address is not None:
            self._connections.busy(self._address, self)

    def _on_body(self, chunk: bytes) -> None:
        # Nobody reads what comes after the answer has begun.
        if not self._has_answer_begun:
            super()._on_body(chunk)

    def _on_message_complete(self) -> None:
        self.is_request_whole = True
        self._await_no_more()
        super()._on_message_complete()

    def _is_request_under_way(self) -> bool:
        """Whether a whole request is there that has not been answered."""
        return self.is_request_whole and self._current_request is not None

    def _close_if_cut(self) -> None:
        """Close the connection where its last request will never be whole."""
        if self._has_client_ended and not self._later and not self._is_request_under_way():
            self.close()

    def _resume_reading(self) -> None:
        """What waits is parsed first, once gunicorn has made its parser ready for it."""
        if self._later:
            self.worker.loop.call_soon(self._parse_later)
        else:
            super()._resume_reading()

    def _parse_later(self) -> None:
        data, self._later = self._later, b""
        self._parse(data)
        if not self._later and not self._closed:
            super()._resume_reading()

    # --- Bounds -----------------------------------------------------------------------------

    def _hold(self, count: int) -> None:
        """Hold so many bytes from now on, or refuse the request."""
        if self._address is None:
            return
        if count <= self._held_bytes:
            self._connections.release(self._address, self._held_bytes - count)
        elif not self._connections.hold(self._address, count - self._held_bytes):
            detail = "The server holds too many unfinished requests."
            self._refuse(503, detail, "memory")
            return
        self._held_bytes = count

    def _await_request(self) -> None:
        if not self._is_awaited:
            self._is_awaited = True
            self._arrivals.set(self._give_up)

    def _await_no_more(self) -> None:
        if self._is_awaited:
            self._is_awaited = False
            self._arrivals.meet(self._give_up)

    def _give_up(self) -> None:
        self._is_awaited = False
        self._refuse(408, "The request did not arrive in time.", "slow")

    def count_refusal(self, bound: "Bound") -> None:
        """A request of this connection is refused at a bound."""
        self._connections.refused(bound)

    def _refuse(self, status: int, detail: str, bound: "Bound") -> None:
        self.count_refusal(bound)
        self._send_error_response(status, detail)
        self.close()

    def _arm_keepalive_timer(self) -> None:
        """Between requests. Gunicorn's own timer is one of the loop's, which costs more."""
        # The client may have ended since gunicorn decided to keep the connection.
        self._close_if_cut()
        if self.is_request_whole and self._address is not None:
            self._connections.idle(self._address, self)
            self._keepalives.set(self.close)

    def _cancel_keepalive_timer(self) -> None:
        self._keepalives.meet(self.close)

    # --- Answers ----------------------------------------------------------------------------

    def _build_http_scope(self, request: Any, sockname: Any, peername: Any) -> dict[str, Any]:
        scope: dict[str, Any] = super()._build_http_scope(request, sockname, peername)
        scope["extensions"] = {CONNECTION: self}
        return scope

    async def _serve_http_request(self, request: Any, sockname: Any, peername: Any) -> bool:
        """Answer in this task; the next request finds the parser ready.

        Gunicorn starts another, for an application that goes on after its answer. This one ends.
        """
        try:
            keeps_alive: bool = await self._handle_http_request(request, sockname, peername)
            return keeps_alive
        finally:
            self._request_bytes = 0
            self._hold(len(self._later))

    def _is_websocket_upgrade(self, request: Any) -> bool:
        """An offer to upgrade is ignored (RFC 9110, section 7.8)."""
        return False

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:
        if self._closed or self.is_spare or not self.is_request_whole or _has_to_close(request):
            return True
        if self._has_client_ended and not self._later and not self._callback_parser.remaining():
            return True
        closes: bool = super()._will_close(request, response_requires_close)
        return closes

    async def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> None:
        """Send a whole answer with one system call. Django has checked its headers."""
        if self._closed:
            return
        request = self._current_request
        self._has_answer_begun = True
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
        if self._flow_control.write_paused:
            await self._flow_control.drain()

    def _send_response_start(self, *args: Any, **kwargs: Any) -> None:
        self._has_answer_begun = True
        super()._send_response_start(*args, **kwargs)

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        """A problem document, unless an answer has begun, which it would damage."""
        if not self._closed and not self._has_answer_begun:
            self._has_answer_begun = True
            self._safe_write(self.worker.bare_problem(status, message))


def _has_to_close(request: Any) -> bool:
    """Whether nothing may follow the request on its connection.

    Any of several Connection headers may ask for that; gunicorn looks at the first, its parser at
    the last. And a body in other codings than chunks may end elsewhere for somebody in between.
    """
    return any(
        (name == b"connection" and b"close" in value.lower())
        or (name == b"transfer-encoding" and value.lower() != b"chunked")
        for name, value in request.headers_bytes
    )
