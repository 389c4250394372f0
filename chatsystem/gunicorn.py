"""Gunicorn's worker, with errors that fit this API.

What gunicorn refuses before the application sees it, it would answer with a page in HTML.
"""

import socket
from typing import Any

from gunicorn.workers.gthread import ThreadWorker


class BareErrorsWorker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """Threads, and errors of the server's own as a bare status."""

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Let gunicorn choose the status, and send no more than that."""
        super().handle_error(req, _StatusOnly(client), addr, exc)


class _StatusOnly:
    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def sendall(self, answer: bytes) -> None:
        status_line = answer.partition(b"\r\n")[0]
        self._client.sendall(
            status_line + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)
