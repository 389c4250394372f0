"""A table of bad requests that only raw bytes can express.

`status` is the application's response, for a server that lets the request through.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from tests.live.raw import raw

APPLICATIONS = b"/api/v1/applications"
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
NAME = b'{"name": "x"}'
CHUNKED = "Transfer-Encoding: chunked"
MIB = 1024 * 1024


@dataclass(frozen=True)
class BadBytes:
    """What is sent. A client that hangs up may find that the server has done so too."""

    status: int
    request: bytes
    hang_up: bool = False

    def __str__(self) -> str:
        """A name to find it by in a report."""
        shown = self.request.replace(b"Connection: close\r\n", b"").replace(b"\r\n", b" ")
        return f"{self.status} {ascii(shown[:130])[2:-1]} {len(self.request)}"


def _targets() -> Iterator[BadBytes]:
    for target in (
        *(b"/\0", b"/\xff\xfe", b"/%ff%00", b"/%ED%A0%80", b"/a b", b"\\", b'/"<script>', b"/%"),
        *(b"nothing", b"*", b"/\xf0\x9f\x98\x80", b"/" + b"a" * 60_000, b"//applications", b""),
        *(APPLICATIONS + end for end in (b"/\0", b"/\xe9", b"/%zz", b"/%2F", b"/%5C", b"\\")),
        *(b"/static/%00", b"/static/%ED%A0%80", b"/static/\xff", b"/static/../../etc/passwd"),
    ):
        yield BadBytes(404, raw("GET", target))
    for query in (
        b"limit=\xff",
        b"limit=%ff",
        b"limit=\0",
        b"cursor=\xe4\xb8",
        b"cursor=" + b"9" * 60_000,
    ):
        yield BadBytes(400, raw("GET", APPLICATIONS + b"?" + query))
    yield BadBytes(400, raw("GET", APPLICATIONS + b"?limit=" + b"9" * 10 * MIB), hang_up=True)
    yield BadBytes(404, raw("GET", b"/" + b"9" * 10 * MIB), hang_up=True)


def _methods() -> Iterator[BadBytes]:
    for method in (b"FOO", b"PROPFIND", b"TRACE", b"X" * 5000, b"\xff", b"GET\0", b"", b"G T"):
        yield BadBytes(405, raw(method, APPLICATIONS))
    for method in (b"get", b"Get", b"post"):
        yield BadBytes(501, raw(method, APPLICATIONS))
    yield BadBytes(405, raw("CONNECT", APPLICATIONS))
    yield BadBytes(404, raw("CONNECT", b"localhost:80"))


def _heads() -> Iterator[BadBytes]:
    for host in (b"", b"evil.example", b"\0", b"\xff", b"localhost:x", b"[::1", b"x" * 5000):
        yield BadBytes(400, raw("GET", APPLICATIONS, host=host))
    yield BadBytes(400, raw("GET", APPLICATIONS, "Host: evil.example"))
    for version in (b"HTTP/9.9", b"HTTP/2.0", b"HTTP/1.2", b"HTTP/", b"HTTP/0.9", b"junk", b""):
        yield BadBytes(200, raw("GET", APPLICATIONS, version=version))
    for header in (
        *("no colon", "X : spaced", "X: a\0b", "X: \x01\x7f", ": nameless", "X: a\r\n folded"),
        *("X: " + "x" * 9_000, "X: " + "x" * 600_000, "😀: x", "X: 😀", "Expect: foo"),
        *("Expect: 100-continue", "\r\n".join(f"X-{n}: x" for n in range(500))),
    ):
        yield BadBytes(200, raw("GET", APPLICATIONS, header))
    for junk in (
        b"junk\r\n\r\n",
        b"\0" * 1000,
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\0",
        b"\r\n" * 99,
    ):
        yield BadBytes(400, junk, hang_up=True)
    yield BadBytes(400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", hang_up=True)


def _lengths() -> Iterator[BadBytes]:
    def post(status: int, *headers: str | bytes, body: bytes = NAME) -> BadBytes:
        return BadBytes(status, raw("POST", APPLICATIONS, JSON, *headers, body=body), hang_up=True)

    for length in (
        *(
            "-1",
            "-0",
            "+13",
            "abc",
            "1e1",
            "0x0d",
            "13.0",
            "1_3",
            "13, 13",
            "1 3",
            "",
            "0",
            "5",
            "999",
        ),
        *("9" * 400, "9" * 5000, "18446744073709551616", "١٣", "²"),
    ):
        yield post(400, f"Content-Length: {length}")
    yield post(400, b"Content-Length: \xb2")
    yield post(400, "Content-Length: 13", "Content-Length: 5")
    yield post(400)
    for coding in ("gzip", "chunked, gzip", "identity", "xchunked", "", "😀"):
        yield post(400, f"Transfer-Encoding: {coding}", body=b"d\r\n" + NAME + b"\r\n0\r\n\r\n")
    for chunks in (
        b"",
        b"zz\r\n",
        b"-1\r\n{}",
        b"f" * 20 + b"\r\n{",
        b"1\r\n{\r\n",
        b"2\r\n{}0\r\n\r\n",
    ):
        yield post(400, CHUNKED, body=chunks)


def _bodies() -> Iterator[BadBytes]:
    for status, content_type, body in (
        (400, JSON, b"\0" * 1000),
        (400, JSON, b"\xff" * 1000),
        (400, JSON, b'{"name": "\xed\xa0\x80"}'),
        (400, JSON, b"[" * 100_000),
        (413, JSON, b"[" * 100_000 + b"]" * 100_000),
        (413, JSON, b" " * 20 * MIB),
        (413, FORM, b"name=" + b"x" * MIB),
        (415, "Content-Type: multipart/form-data; boundary=x", b"x" * 3 * MIB),
        (415, b"Content-Type: \xff\xfe", NAME),
        (415, "X-Type: none", NAME),
    ):
        length = f"Content-Length: {len(body)}"
        yield BadBytes(status, raw("POST", APPLICATIONS, content_type, length, body=body))
        if status == 413:
            yield BadBytes(404, raw("POST", b"/nothing", content_type, length, body=body))
    broken = b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n\xff\r\n--x--'
    for boundary in ("", "; boundary=", "; boundary=x"):
        content_type = f"Content-Type: multipart/form-data{boundary}"
        length = f"Content-Length: {len(broken)}"
        yield BadBytes(403, raw("POST", b"/admin/login/", content_type, length, body=broken))


BAD_BYTES = list(chain(_targets(), _methods(), _heads(), _lengths(), _bodies()))
