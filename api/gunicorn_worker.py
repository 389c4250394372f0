"""Gunicorn's ASGI worker: one web process, with bounds on its connections.

This module and api.gunicorn_connection are the only users of gunicorn's private API.
The tests with tests/live/gunicorn_worker.py show what breaks after an upgrade, and pyproject.toml
bounds the version.
"""

import asyncio
import os
import resource
import signal
from contextlib import suppress
from functools import partial
from random import uniform
from typing import Any

from django.conf import settings
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.glogging import Logger
from gunicorn.workers.gasgi import ASGIWorker

from api.gunicorn_connection import Connection
from infra.event_loop import TimeoutQueue
from infra.timeouts import (
    CLIENT_LINGER_SECONDS,
    REQUEST_ARRIVAL_SECONDS,
    SERVER_KEEPALIVE_SECONDS,
    STREAMS_FAREWELL_SECONDS,
)

#: File descriptors that a process needs besides connections: services, database, logs, metrics.
OTHER_FILES = 256

#: Interval of the heartbeat to gunicorn's master, and of the check for idle connections.
_NOTIFY_SECONDS = 1.0
#: A process that is ending closes a connection that has been idle for this long.
_FAREWELL_SECONDS = 1.0


class Log(Logger):  # type: ignore[misc] # gunicorn has no types
    """Gunicorn's log without an access log, which costs a tenth of a create even unhandled."""

    access_log_enabled = False


class Worker(ASGIWorker):  # type: ignore[misc] # gunicorn has no types
    """One web process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_ending = asyncio.Event()

    def init_signals(self) -> None:
        """Also hear signals that arrive before the loop runs: uvloop would lose them."""
        super().init_signals()
        signal.signal(signal.SIGTERM, lambda *_: self.handle_exit_signal())
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, lambda *_: self.handle_quit_signal())

    def load_wsgi(self) -> None:
        """Load the application, and then what needs Django."""
        super().load_wsgi()
        # The master, which forks this process, loads neither Django nor the metrics.
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
        # Gunicorn stores the result in the class it is called on, and reads it from ASGIProtocol.
        ASGIProtocol._check_h1c_protocol_available()
        self.arrivals = TimeoutQueue(REQUEST_ARRIVAL_SECONDS)
        self.lingers = TimeoutQueue(CLIENT_LINGER_SECONDS)

    async def _serve(self) -> None:
        """Serve like gunicorn, with this project's Connection and the configured backlog."""
        for listener in self.sockets:
            server = await self.loop.create_server(
                partial(Connection, self), sock=listener.sock, backlog=self.cfg.backlog
            )
            self.servers.append(server)
        while self.alive and not self._is_ending.is_set() and self.ppid == os.getppid():
            self.notify()
            self.connections.close_idle(SERVER_KEEPALIVE_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_ending.wait(), _NOTIFY_SECONDS)
        if not self._quick_shutdown:
            await self._drain_connections()
        # An idle connection would keep the process until it times out.
        self.connections.close_idle()
        await self._shutdown()

    async def _drain_connections(self) -> None:
        """Stop accepting connections, and lose no request that is on its way on one."""
        accepted = []
        for listener, server in zip(self.sockets, self.servers, strict=True):
            # The kernel resets connections in the backlog when the listener is closed.
            with suppress(BlockingIOError):
                while True:
                    accepted.append(listener.sock.accept()[0])
            server.close()
        for client in accepted:
            await self.loop.connect_accepted_socket(partial(Connection, self), client)
        for streaming in self.connections.streaming:
            # Spread over some seconds, since each client connects to another process at once.
            self.loop.call_later(uniform(0, STREAMS_FAREWELL_SECONDS), streaming.end_stream)  # noqa: S311
        # From here on each response closes its connection. Not before: its client would reconnect.
        self.alive = False
        if self.nr_conns:
            await asyncio.sleep(_FAREWELL_SECONDS)

    def handle_exit_signal(self) -> None:
        """SIGTERM: begin the graceful shutdown at once."""
        self._is_ending.set()

    def handle_quit_signal(self) -> None:
        """SIGINT or SIGQUIT: shut down quickly."""
        super().handle_quit_signal()
        self._is_ending.set()
