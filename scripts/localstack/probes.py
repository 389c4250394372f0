"""Whether a part really answers: one attempt each, quick to fail, on its own protocol."""

import http.client
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress

import psutil

from localstack import processes
from localstack.application import worker_commands
from localstack.layout import Layout
from localstack.parts import Part
from localstack.services import mariadb
from localstack.settings import Settings

TIMEOUT_S = 5
AMQP_GREETING = b"AMQP\x00\x00\x09\x01"
FRAME_HEADER = 7
CONNECTION_START = b"\x00\x0a\x00\x0a"


class Probes:
    """The probes of one stack."""

    def __init__(self, layout: Layout, settings: Settings) -> None:
        """Nothing is connected before a probe is asked for."""
        self._layout = layout
        self._settings = settings
        self._ports = settings.ports

    def is_ready(self, part: Part) -> bool:
        """Whether the part serves its clients. Beat has none, and nothing that could be asked."""
        checks: dict[Part, Callable[[], bool]] = {
            Part.MARIADB: self._mariadb,
            Part.REDIS: self._redis,
            Part.RABBITMQ: self._rabbitmq,
            Part.ELASTICSEARCH: self._elasticsearch,
            Part.WEB: lambda: self.web_status() == http.client.OK,
            Part.WORKER: self._workers,
        }
        return checks[part]()

    def web_status(self) -> int | None:
        """What the web server says of its own readiness, or None when it does not answer."""
        return _http_status(self._ports.web, "/health/ready")

    def _mariadb(self) -> bool:
        query = [*mariadb.client_command(self._layout), "-e", "SELECT 1", mariadb.DATABASE]
        return subprocess.run(query, capture_output=True, timeout=60, check=False).returncode == 0

    def _redis(self) -> bool:
        greeting = f"AUTH {self._settings.secrets.redis}\r\nPING\r\n".encode()
        return _conversation(self._ports.redis, greeting, 10) == b"+OK\r\n+PONG"

    def _rabbitmq(self) -> bool:
        answer = _conversation(self._ports.rabbitmq, AMQP_GREETING, FRAME_HEADER + 4)
        return answer is not None and answer[FRAME_HEADER:] == CONNECTION_START

    def _elasticsearch(self) -> bool:
        path = "/_cluster/health?wait_for_status=yellow&timeout=1s"
        return _http_status(self._ports.elasticsearch, path) == http.client.OK

    def _workers(self) -> bool:
        """Each has a connection to the broker."""
        found = processes.by_program(self._layout.identity)
        names = worker_commands(self._layout, self._settings.options.workers)
        return all(any(map(self._is_connected, found.get(name, ()))) for name in names)

    def _is_connected(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            return any(
                connection.status == psutil.CONN_ESTABLISHED
                and connection.raddr.port == self._ports.rabbitmq
                for connection in process.net_connections(kind="tcp")
            )
        return False


def _conversation(port: int, greeting: bytes, length: int) -> bytes | None:
    """The first bytes that a server answers with."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
            connection.sendall(greeting)
            return connection.recv(length, socket.MSG_WAITALL)
    except OSError:
        return None


def _http_status(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
