"""Loads send what the lines of the file say."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bench.wrk import Request, load, request_file

pytestmark = pytest.mark.costly


@contextmanager
def _server(seen: set[tuple[str, ...]]) -> Iterator[str]:
    """A server that answers 304, and notes requests; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_PATCH(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            tag, key = self.headers.get("If-None-Match", ""), self.headers.get("Authorization", "")
            seen.add((self.command, self.path, tag, key, body))
            self.send_response(304)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/given"
        server.shutdown()


def test_a_request_has_its_own_header_and_body() -> None:
    seen: set[tuple[str, ...]] = set()
    requests = [
        Request("GET", "/a?b=1", header="Authorization: Bearer abc"),
        Request("PATCH", "", {"body": "é"}, header="Authorization: Bearer def"),
        Request("GET", "/plain"),
    ]

    with _server(seen) as url, request_file(requests) as file:
        result = load(url, file, connections=1, seconds=1, rate=20)

    assert seen == {
        ("GET", "/a?b=1", "", "Bearer abc", ""),
        ("PATCH", "/given", "", "Bearer def", '{"body": "é"}'),
        ("GET", "/plain", "", "", ""),
    }
    assert result.answered
    assert not result.refused
