"""The four requests: prepared, warmed up, and recorded."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.request_trace.client import Client, Request
from scripts.request_trace.recording import until
from scripts.request_trace.servers import Servers

POST, GET, LIST, SEARCH = "POST message", "GET message", "list messages", "search messages"

_WARM_UPS = 5
#: Only files that are in each of these recordings count.
_RECORDINGS = 3
#: The worker wakes the indexer at most twice a second. After this pause, a POST wakes it.
_PAUSE_SECONDS = 0.6


@dataclass(frozen=True)
class Executed:
    """The files that a request executes in each process."""

    web: frozenset[str]
    worker: frozenset[str]

    @property
    def both(self) -> frozenset[str]:
        """Those of both processes, each once."""
        return self.web | self.worker


def count(servers: Servers) -> Mapping[str, Executed]:
    """The files of each request. Raises TraceError."""
    with Client(servers.port, servers.operator_key) as operator:
        application, location = operator.send(
            Request("POST", "/api/v1/applications", {"name": "Request trace"})
        )
    with Client(servers.port, application["key"] if servers.operator_key else "") as client:
        return _Scenario(servers, client, _path(location)).run()


def _path(location: str) -> str:
    return location[location.index("/api/") :]


class _Scenario:
    """A new chat, and the requests for its messages."""

    def __init__(self, servers: Servers, client: Client, application: str) -> None:
        self._web, self._worker = servers.web, servers.worker
        self._client = client
        chat = Request("POST", f"{application}/chats", {"name": "Order 17"})
        start = time.monotonic_ns()
        _, location = client.send(chat)
        self._wait(start, chat)
        self._messages = f"{_path(location)}/messages"
        self._get = Request("GET", f"{self._messages}/1")

    def run(self) -> Mapping[str, Executed]:
        """Record each request."""
        post = Request("POST", self._messages, {"body": "Good morning! Where is my order?"})
        search = Request("GET", f"{self._messages}/search?query=order")
        self._send(post)
        until(lambda: self._send(search)["results"], "search finds the message")
        return {
            POST: self._record(post),
            GET: self._record(self._get),
            LIST: self._record(Request("GET", self._messages)),
            SEARCH: self._record(search),
        }

    def _record(self, request: Request) -> Executed:
        for _ in range(_WARM_UPS):
            self._client.send(request)
        self._send(request)
        recordings = [self._record_once(request) for _ in range(_RECORDINGS)]
        return Executed(
            web=frozenset.intersection(*(each.web for each in recordings)),
            worker=frozenset.intersection(*(each.worker for each in recordings)),
        )

    def _record_once(self, request: Request) -> Executed:
        if request.method == "POST" and self._worker:
            time.sleep(_PAUSE_SECONDS)
            # The web process caches the result of a key check for up to a second: fill that cache.
            self._send(self._get)
        start = time.monotonic_ns()
        self._send(request)
        return Executed(
            web=self._web.files(start),
            worker=self._worker.files(start) if self._worker else frozenset(),
        )

    def _send(self, request: Request) -> dict[str, Any]:
        """Return the content of the answer when all work of the request has ended."""
        start = time.monotonic_ns()
        content, _ = self._client.send(request)
        self._wait(start, request)
        return content

    def _wait(self, start: int, request: Request) -> None:
        if request.method == "POST" and self._worker:
            self._worker.wait_for_task(start)
        self._web.wait_until_quiet()
