"""The web server: uvicorn's processes, each with an event loop by uvloop and a socket of its own.

With one socket for all of them the first to look would take most connections, idle as the others
may be; of several on one port the kernel chooses for each connection (SO_REUSEPORT).
"""

import socket
from collections.abc import Callable
from typing import Any

from django.conf import settings
from uvicorn.config import Config
from uvicorn.supervisors import Multiprocess

from chatsystem.protocol import Protocol
from core.logs.configuration import configuration
from core.timeouts import SERVER_GRACEFUL_SECONDS, SERVER_KEEPALIVE_SECONDS, SERVER_SILENT_SECONDS

#: Served at once by one process, idle ones included; more are told 503.
MAX_CONNECTIONS = 4096


def run(host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError when the port is not to be had."""
    environment = settings.ENVIRONMENT
    logs = configuration(
        as_json=environment.logs_json, level=environment.log_level, secrets=environment.secrets
    )
    serve("chatsystem.asgi:application", host, port, environment.web_processes, logs)


def serve(
    application: str, host: str, port: int, processes: int, logs: dict[str, Any] | None
) -> None:
    """The same of any application. Raises as above."""
    config = Config(
        application,
        workers=processes,
        http=Protocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=logs,
        access_log=False,
        # Who asks through which proxy is found out behind this, where it is configured.
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        backlog=MAX_CONNECTIONS,
        timeout_keep_alive=SERVER_KEEPALIVE_SECONDS,
        timeout_graceful_shutdown=SERVER_GRACEFUL_SECONDS,
        timeout_worker_healthcheck=SERVER_SILENT_SECONDS,
    )
    with _OwnSocket(host, port) as own:
        Multiprocess(config, [own]).run()


class _OwnSocket(socket.socket):
    """Bound to the port; handed to another process, it is another socket on the same port."""

    def __init__(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._place = host, port
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.bind(self._place)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, int]]:
        return _OwnSocket, self._place
