"""What only a real server and raw bytes show: chunks, truncation, bytes that are no text."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import httpx
import pytest

from tests.live.servers import EmbeddedServer, GunicornServer, stack_url


@pytest.fixture(
    params=[
        pytest.param("embedded", marks=pytest.mark.embedded),
        pytest.param("gunicorn", marks=pytest.mark.embedded),
        pytest.param("stack", marks=pytest.mark.stack),
    ]
)
def base_url(request: pytest.FixtureRequest) -> str:
    """The address of a real server, of each kind."""
    if request.param == "stack":
        return stack_url()
    server: EmbeddedServer = request.getfixturevalue(request.param)
    return server.url


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    with GunicornServer(tmp_path_factory.mktemp("gunicorn")) as server:
        yield server


def exchange(base_url: str, request: bytes, *, hang_up: bool = False) -> tuple[int, bytes]:
    """The status and the body answered to these very bytes; (0, b"") when nothing came."""
    address = urlsplit(base_url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        answer = b""
        with suppress(OSError):  # a server may close on junk without reading all of it
            connection.sendall(request)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
            while received := connection.recv(65536):
                answer += received
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]) if head else 0), body


def raw(method: str, target: bytes, *headers: str, body: bytes = b"") -> bytes:
    lines = ["Host: localhost", "Connection: close", *headers]
    return b"%s %s HTTP/1.1\r\n%s\r\n\r\n%s" % (
        method.encode(),
        target,
        "\r\n".join(lines).encode(),
        body,
    )


JSON = "Content-Type: application/json"
APPLICATIONS = b"/api/v1/applications"


def test_a_chunked_request_is_read_whole(base_url: str) -> None:
    chunks = b'8\r\n{"name":\r\n9\r\n"chunked"\r\n1\r\n}\r\n0\r\n\r\n'

    status, body = exchange(
        base_url,
        raw("POST", APPLICATIONS, JSON, "Transfer-Encoding: chunked", body=chunks),
    )

    assert (status, json.loads(body)["name"]) == (201, "chunked")


def test_a_chunked_request_that_is_too_large_is_a_413(base_url: str) -> None:
    def chunks() -> "list[bytes]":
        return [b"x" * 65536] * 4

    answer = httpx.post(
        f"{base_url}/api/v1/applications",
        content=iter(chunks()),
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (APPLICATIONS + b"?cursor=\xff", 400),
        (APPLICATIONS + b"?cursor=%ff", 400),
        (APPLICATIONS + b"/\xe4\xb8\xad", 404),
        (b"/\xff\xfe", 404),
        (b"/%ff%00", 404),
        (b"/" + b"a" * 60000, 404),
    ],
)
def test_bytes_that_are_no_text_are_refused(base_url: str, target: bytes, expected: int) -> None:
    status, body = exchange(base_url, raw("GET", target))

    assert b"<html" not in body.lower()
    if body:
        assert (status, json.loads(body)["status"]) == (expected, expected)
    else:  # what the server itself refuses may be a bare status
        assert status in (400, 414)


@pytest.mark.parametrize("method", ["FOO", "PROPFIND", "PURGE"])
def test_an_unknown_method_is_a_problem_document(base_url: str, method: str) -> None:
    status, body = exchange(base_url, raw(method, APPLICATIONS))

    assert (status, json.loads(body)["status"]) == (405, 405)


def test_a_head_has_no_body(base_url: str) -> None:
    status, body = exchange(base_url, raw("HEAD", APPLICATIONS))

    assert (status, body) == (200, b"")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, b'{"name": "cut'),
        (JSON, b'{"name": "complete, but not all"}'),
        ("Content-Type: application/x-www-form-urlencoded", b"name=cut"),
    ],
)
def test_a_request_that_breaks_off_creates_nothing(
    base_url: str, content_type: str, body: bytes
) -> None:
    def newest() -> object:
        return httpx.get(f"{base_url}/api/v1/applications?limit=1").json()["results"]

    before = newest()

    status, answer = exchange(
        base_url,
        raw("POST", APPLICATIONS, content_type, "Content-Length: 1000", body=body),
        hang_up=True,
    )

    assert status in (0, 400)
    assert b"<html" not in answer.lower()
    assert newest() == before


def test_a_form_in_chunks_is_refused_since_nobody_would_notice_its_end(base_url: str) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    chunk = b"6\r\nname=a\r\n0\r\n\r\n"

    status, _ = exchange(
        base_url, raw("POST", APPLICATIONS, form, "Transfer-Encoding: chunked", body=chunk)
    )

    assert status == 400


def test_idle_connections_keep_nobody_waiting(base_url: str) -> None:
    address = urlsplit(base_url)
    with ExitStack() as open_connections:
        for _ in range(100):
            connection = socket.create_connection((address.hostname, address.port), timeout=20)
            open_connections.enter_context(connection)
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")

        assert httpx.get(f"{base_url}/health/live", timeout=5).json() == {"status": "ok"}


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: foo\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 600_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_the_server_itself_refuses_is_never_html(base_url: str, request_bytes: bytes) -> None:
    _, body = exchange(base_url, request_bytes, hang_up=True)

    assert b"<html" not in body.lower()


def test_junk_is_not_answered_with_html_and_hurts_nobody(base_url: str) -> None:
    for junk in (
        b"junk\r\n\r\n",
        b"\0" * 1000,
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\0",
        b"\r\n" * 99,
    ):
        _, body = exchange(base_url, junk, hang_up=True)
        assert b"<html" not in body.lower()

    assert httpx.get(f"{base_url}/health/live").json() == {"status": "ok"}
