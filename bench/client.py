"""One client of an HTTP server, that keeps its connection."""

import http.client
import json
from typing import Any, Self
from urllib.parse import urlsplit

from bench.errors import BenchError

_HEADERS = {"Content-Type": "application/json"}
_LIMIT_SECONDS = 30


class Client:
    """Sends one request after the other."""

    def __init__(self, base_url: str) -> None:
        place = urlsplit(base_url)
        self._connection = http.client.HTTPConnection(
            place.hostname or "", place.port, timeout=_LIMIT_SECONDS
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def create(self, path: str, **fields: str) -> dict[str, Any]:
        """What was made. Raises BenchError for any answer but 201."""
        return self._send("POST", path, json.dumps(fields).encode(), http.client.CREATED)

    def read(self, path: str) -> dict[str, Any]:
        """What is there. Raises BenchError for any answer but 200."""
        return self._send("GET", path, None, http.client.OK)

    def _send(self, method: str, path: str, body: bytes | None, expected: int) -> dict[str, Any]:
        self._connection.request(method, path, body, _HEADERS)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != expected:
            raise BenchError(f"{method} {path} was answered {answer.status}: {content[:300]!r}")
        document: dict[str, Any] = json.loads(content)
        return document
