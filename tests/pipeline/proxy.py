"""A proxy that can be frozen: connections stay open, but no response arrives."""

import socket
from contextlib import suppress
from threading import Event, Thread
from typing import Self
from urllib.parse import urlsplit


class Proxy:
    """Listens on a free port and passes everything on to the target."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._answers_pass = Event()
        self._answers_pass.set()
        self._loses_next = False
        self._sockets: list[socket.socket] = []
        self.port = 0

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()
        self.close()

    def open(self) -> None:
        """Listen, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Break all connections, and refuse new ones."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def freeze(self) -> None:
        """Hold back the server's responses; requests still reach it."""
        self._answers_pass.clear()

    def thaw(self) -> None:
        """Let responses pass again, including the held ones."""
        self._answers_pass.set()

    def lose_next_answer(self) -> None:
        """Break all connections at the server's next response, and drop it."""
        self._loses_next = True

    def lose_nothing(self) -> None:
        """Whether an answer was lost or not: none is from now on."""
        self._loses_next = False

    def cut(self) -> None:
        """Break all connections."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._sockets.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
                self._sockets += [client, server]
                Thread(target=self._ask, args=(client, server), daemon=True).start()
                Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                self._answers_pass.wait()
                if self._loses_next:
                    self._loses_next = False
                    self.cut()
                    return
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)


def proxy_to(url: str) -> Proxy:
    """A way to the server of this URL, which names its port."""
    parts = urlsplit(url)
    return Proxy(str(parts.hostname), int(parts.port or 0))


def through(proxy: Proxy, url: str) -> str:
    """The same URL, through the proxy."""
    parts = urlsplit(url)
    return url.replace(f"{parts.hostname}:{parts.port}", f"127.0.0.1:{proxy.port}")
