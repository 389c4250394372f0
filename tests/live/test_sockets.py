"""What only a real server and raw bytes show: chunks, truncation, bytes that are no text."""

import json
import socket
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest


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


@pytest.mark.parametrize("method", ["FOO", "PROPFIND", "X" * 500])
def test_an_unknown_method_is_a_problem_document(base_url: str, method: str) -> None:
    status, body = exchange(base_url, raw(method, APPLICATIONS))

    assert (status, json.loads(body)["status"]) == (405, 405)


def test_a_head_has_no_body(base_url: str) -> None:
    status, body = exchange(base_url, raw("HEAD", APPLICATIONS))

    assert (status, body) == (200, b"")


def test_a_request_that_breaks_off_creates_nothing(base_url: str) -> None:
    status, body = exchange(
        base_url,
        raw("POST", APPLICATIONS, JSON, "Content-Length: 1000", body=b'{"name": "cut'),
        hang_up=True,
    )

    assert status in (0, 400)
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
