"""One client of an HTTP server, that keeps its connection."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from bench.errors import BenchError

_HEADERS = {"Content-Type": "application/json"}
_LIMIT_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """As it came; `tag` is the ETag, empty without one."""

    status: int
    tag: str
    content: bytes


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

    def create(self, path: str, **fields: object) -> dict[str, Any]:
        """What was made. Raises BenchError for any answer but 201."""
        answer = self._send("POST", path, _HEADERS, json.dumps(fields).encode())
        return _document(path, answer, http.client.CREATED)

    def read(self, path: str) -> dict[str, Any]:
        """What is there. Raises BenchError for any answer but 200."""
        return _document(path, self.fetch(path), http.client.OK)

    def fetch(self, path: str, known: str = "") -> Answer:
        """Whatever a GET is answered; with a tag `known`, that of somebody who has this version."""
        return self._send("GET", path, {"If-None-Match": known} if known else {})

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        return Answer(answer.status, answer.headers.get("ETag", ""), answer.read())


def _document(path: str, answer: Answer, expected: int) -> dict[str, Any]:
    if answer.status != expected:
        raise BenchError(f"{path} was answered {answer.status}: {answer.content[:300]!r}")
    document: dict[str, Any] = json.loads(answer.content)
    return document
