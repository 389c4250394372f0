"""An HTTP client with one connection that stays open."""

import json
import socket
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any, Self

from scripts.request_trace.recording import TraceError

_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Request:
    """A request of the API; `path` begins behind the host."""

    method: str
    path: str
    content: object = None


class Client:
    """Sends each request in one piece, so that it takes the same way through the server each time.

    `key` is that of an application or an operator, and empty where the profile needs none.
    """

    def __init__(self, port: int, key: str = "") -> None:
        self._address = ("127.0.0.1", port)
        self._authorization = f"Authorization: Bearer {key}\r\n" if key else ""

    def __enter__(self) -> Self:
        self._socket = socket.create_connection(self._address, _TIMEOUT_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, request: Request) -> tuple[dict[str, Any], str]:
        """The content of the answer, and its Location. Raises TraceError for any but 2xx."""
        head = f"{request.method} {request.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        body = b""
        if request.content is not None:
            body = json.dumps(request.content).encode()
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._socket.sendall(f"{head}{self._authorization}\r\n".encode() + body)
        response = HTTPResponse(self._socket, method=request.method)
        response.begin()
        content = response.read()
        if response.status // 100 != 2:
            raise TraceError(f"{request.method} {request.path}: {response.status} {content!r}")
        return json.loads(content), response.getheader("Location", "")
