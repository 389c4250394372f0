"""Cases that need a real server and raw bytes: chunks, truncation, idle connections."""

import json
import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from tests.live.raw import exchange, raw, received

JSON = "Content-Type: application/json"
APPLICATIONS = b"/api/v1/applications"


def test_a_chunked_request_is_read_whole(server_url: str) -> None:
    chunks = b'8\r\n{"name":\r\n9\r\n"chunked"\r\n1\r\n}\r\n0\r\n\r\n'

    status, body, _ = exchange(
        server_url,
        raw("POST", APPLICATIONS, JSON, "Transfer-Encoding: chunked", body=chunks),
    )

    assert (status, json.loads(body)["name"]) == (201, "chunked")


def test_a_chunked_request_that_is_too_large_is_a_413(server_url: str) -> None:
    def chunks() -> "list[bytes]":
        return [b"x" * 65536] * 4

    answer = httpx.post(
        f"{server_url}/api/v1/applications",
        content=iter(chunks()),
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_head_has_no_body(server_url: str) -> None:
    head, _, body = received(server_url, raw("HEAD", APPLICATIONS)).partition(b"\r\n\r\n")

    assert (head.split()[1], body) == (b"200", b"")


def test_a_304_has_no_body_and_the_connection_goes_on(server_url: str) -> None:
    with httpx.Client() as client:
        made = client.post(f"{server_url}/api/v1/applications", json={"name": "x"})
        location, known = made.headers["Location"], {"If-None-Match": made.headers["ETag"]}
        for method in ("GET", "HEAD", "GET"):
            answer = client.request(method, location, headers=known)
            assert (answer.status_code, answer.content) == (304, b"")
            assert "Content-Length" not in answer.headers
        assert client.get(location).json().items() <= made.json().items()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, b'{"name": "cut'),
        (JSON, b'{"name": "complete, but not all"}'),
        ("Content-Type: application/x-www-form-urlencoded", b"name=cut"),
    ],
)
def test_a_request_that_breaks_off_creates_nothing(
    server_url: str, content_type: str, body: bytes
) -> None:
    def newest() -> object:
        return httpx.get(f"{server_url}/api/v1/applications?limit=1").json()["results"]

    before = newest()

    status, answer, _ = exchange(
        server_url,
        raw("POST", APPLICATIONS, content_type, "Content-Length: 1000", body=body),
        hang_up=True,
    )

    assert status in (0, 400)
    assert b"<html" not in answer.lower()
    assert newest() == before


def test_a_form_in_chunks_is_stored_only_with_its_end(server_url: str) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    for end, status in ((b"0\r\n\r\n", 201), (b"", 0)):
        chunks = b"6\r\nname=a\r\n" + end
        request = raw("POST", APPLICATIONS, form, "Transfer-Encoding: chunked", body=chunks)

        answer = exchange(server_url, request, hang_up=True)

        assert answer.status == status


def test_idle_connections_keep_nobody_waiting(server_url: str) -> None:
    address = urlsplit(server_url)
    with ExitStack() as open_connections:
        for _ in range(100):
            connection = socket.create_connection((address.hostname, address.port), timeout=20)
            open_connections.enter_context(connection)
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")

        assert httpx.get(f"{server_url}/health/live", timeout=5).json() == {"status": "ok"}
