"""A proxy to Redis that responds with any given error on demand.

Only for errors that a real server cannot produce here: those of a cluster, of other products, and
of future versions.
"""

import socket
from contextlib import suppress
from threading import Thread
from typing import BinaryIO, Self

from tests.redis_server import PASSWORD

#: What a connection is set up with; a server that refuses work takes it.
_SETTING_UP = {b"HELLO", b"AUTH", b"CLIENT", b"SELECT"}


class RefusingRedis:
    """Forwards everything, or replies `answer` to all commands but a connection's set-up.

    `answer` is bytes as on the wire, such as b"-MOVED 3999 127.0.0.1:1".
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self.answer: bytes = b""

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self._listener.getsockname()[1]}/0"
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self._target) as server:
            Thread(target=_copy, args=(server, client), daemon=True).start()
            commands = client.makefile("rb")
            while command := _read_command(commands):
                parts, raw = command
                if self.answer and parts[0].upper() not in _SETTING_UP:
                    client.sendall(self.answer + b"\r\n")
                else:
                    server.sendall(raw)
            server.shutdown(socket.SHUT_RDWR)


def _read_command(stream: BinaryIO) -> tuple[list[bytes], bytes] | None:
    """The next command, its words and as it was sent; None at the end."""
    raw = head = stream.readline()
    if not head:
        return None
    parts = []
    for _ in range(int(head[1:])):
        length = stream.readline()
        part = stream.read(int(length[1:]) + 2)
        parts.append(part[:-2])
        raw += length + part
    return parts, raw


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
