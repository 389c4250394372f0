"""A table of bad requests to every route, with the expected status of each.

In an address $application, $chat and $message stand for existing items. Addresses are below
/api/v1 unless they begin with "//", which stands for the root of the server.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, product
from urllib.parse import quote

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Bad:
    """One bad request. `error` is the field and the code that the answer must name."""

    status: int
    method: str
    address: str
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    error: tuple[str, str] | None = None

    def __str__(self) -> str:
        """A name to find it by in a report."""
        parts = (self.method, self.address, self.content_type, self.headers or "", self.body[:40])
        return f"{self.status} " + " ".join(ascii(part)[:60].strip("'") for part in parts if part)


CREATES = [
    ("POST", "/applications", "name"),
    ("POST", "$application/chats", "name"),
    ("POST", "$chat/messages", "body"),
]
EDITS = [
    (method, address, name)
    for address, name in (("$application", "name"), ("$chat", "name"), ("$message", "body"))
    for method in ("PUT", "PATCH")
]
LISTS = ["$application/chats", "$chat/messages", "$chat/messages/search?query=x"]
ALLOWED = {
    "/applications": {"GET", "POST"},
    "$application": {"GET", "PUT", "PATCH"},
    "$application/chats": {"GET", "POST"},
    "$chat": {"GET", "PUT", "PATCH"},
    "$chat/messages": {"GET", "POST"},
    "$chat/messages/bulk": {"POST"},
    "$message": {"GET", "PUT", "PATCH", "DELETE"},
    "$chat/messages/search": {"GET"},
    "/schema": {"GET"},
    "/docs": {"GET"},
    "//health/live": {"GET"},
    "//health/ready": {"GET"},
}

BAD_VALUES = {
    b"null": "type",
    b"7": "type",
    b"-0.0": "type",
    b"1e308": "type",
    b"true": "type",
    b"[]": "type",
    b'["x"]': "type",
    b"{}": "type",
    b'{"name": "x", "body": "x"}': "type",
    b'""': "blank",
    b'" \\t\\r\\n\\u00a0\\u3000"': "blank",
    b'"a\\u0000b"': "null",
}
#: Zero-width space, the blank of Braille, Hangul's filler, a variation selector.
SHOW_NOTHING = ["\\u200b", "\\u2800", "\\u3164", "\u200b \u2800\u3164\ufe0f"]
TOO_LONG = {
    "name": ["x" * 256, "😀" * 256],
    "body": ["x" * 16385, "€" * 5462, "😀" * 4097],
}
NO_JSON = [
    b"{",
    b"}",
    b'{"$": }',
    b'{"$": NaN}',
    b'{"$": -Infinity}',
    b'{"$": 1e999}',
    b'{"$": 01}',
    b'{"$": %s}' % (b"9" * 400),
    b'{"$": "\\ud800"}',
    b'{"$": "\\udc00\\ud800"}',
    b'{"$": "\xed\xa0\x80"}',
    b'{"$": "\xff"}',
    b'{"$": "\xc0\x80"}',
    b'{"$": "\\x41"}',
    b'{"$": "\\u12"}',
    b'{"$": "a\nb"}',
    b'{"$": "a\0b"}',
    b'{"$": "cut',
    b'{"$": "a"} trailing',
    b'{"$": "a"}{"$": "b"}',
    b'{"$": "a",}',
    b"{'$': 'a'}",
    b'{"$": "a" /* said */}',
    b'\xef\xbb\xbf{"$": "a"}',
    '{"$": "a"}'.encode("utf-16"),
    b'{"a": ' * 20_000,
    b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    b"[" * 100_000,
    b"[" * 60_000 + b"]" * 60_000,
    b"\0" * 1000,
    b"\x1f\x8b\x08\0\0\0\0\0",
    "😀".encode(),
]
NO_OBJECT = [b"[]", b'[{"$": "a"}]', b'"$"', b"7", b"null", b"true"]
BAD_FORMS = {
    b"$=%FF": None,
    b"$=%ED%A0%80": None,
    b"$=\xff": None,
    b"a=1&" * 200: None,
    b"$": "blank",
    b"$=+%09": "blank",
    b"$=a%00b": "null",
    b"x=y": "required",
    b";$=a": "required",
}
NO_MEDIA_TYPE_OF_OURS = [
    "",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "multipart/form-data; boundary=" + "x" * 300,
    "text/plain",
    "text/html",
    "text/json",
    "application/xml",
    "application/problem+json",
    "application/jsonp",
    "application",
    "application/",
    "/json",
    "application/*",
    "*/*",
    "application/json, text/plain",
    "json",
    "😀",
    "x" * 5000,
]
NO_NUMBERS = [
    *("0", "00", "01", "-1", "+1", "1.0", "1e3", "0x1", "1_0", "%201", "1%20", "1%00", "1%0A"),
    *(quote("٣"), quote("１"), quote("²"), quote("😀"), "%FF", "%ED%A0%80", "%zz", "%", "x"),
    *("9" * 19, "9" * 400, "1;2", "1,2", "1%2F2", "..", "1//"),
]
NO_TOKENS = ["0", "0" * 23, "0" * 25, "0" * 24, "A" * 24, "g" * 24, "0" * 24 + "%0A", "%00" * 24]
NO_LIMITS = [
    "",
    "0",
    "-1",
    "201",
    "01",
    "1.5",
    "1e2",
    "x",
    "9" * 400,
    "%D9%A3",
    "%00",
    "+1",
    "1%20",
]
NO_BOUNDS = ["", "-1", "01", "x", "9" * 400, "9223372036854775808", "%D9%A3", "%00", "%F0%9F%98%80"]
NO_ORDERS = ["", "ASC", "up", "%00", "%F0%9F%98%80", "asc%20"]
NO_CURSORS = ["", "x", "%00", "%F0%9F%98%80", "YWZ0ZXI6MQ", "YmVmb3JlOjA", "====", "9" * 5000]
NO_QUERIES = ["%FF=1", "limit=%FF", "x=%ED%A0%80", "limit=\xff", "a=1&" * 101]
FOREIGN_HOSTS = ["", "evil.example", "localhost:x", "a@localhost", "[::1", "x" * 5000, "é", "a b"]
NO_FORMATS = ["image/png", "application/xml", "application/json+x", "text/*"]


def _fields() -> Iterator[Bad]:
    for (method, address, name), (value, code) in product(CREATES + EDITS, BAD_VALUES.items()):
        body = b'{"%s": %s}' % (name.encode(), value)
        yield Bad(400, method, address, body, error=(name, code))
    for method, address, name in CREATES + EDITS:
        for text in TOO_LONG[name]:
            body = f'{{"{name}": "{text}"}}'.encode()
            yield Bad(400, method, address, body, error=(name, "max_length"))
        for text in SHOW_NOTHING if name == "name" else []:
            body = f'{{"name": "{text}"}}'.encode()
            yield Bad(400, method, address, body, error=("name", "blank"))
        for body in (b"{}", b"", b'{"%s ": "x"}' % name.encode(), b'{"": "x"}'):
            yield Bad(400, method, address, body, error=(name, "required"))


def _bodies() -> Iterator[Bad]:
    for method, address, name in (CREATES[0], CREATES[2], EDITS[-1]):
        key = name.encode()
        for body in NO_JSON:
            yield Bad(400, method, address, body.replace(b"$", key))
        for body in NO_OBJECT:
            yield Bad(400, method, address, body.replace(b"$", key), error=("", "invalid"))
        for body, code in BAD_FORMS.items():
            form = body.replace(b"$", key)
            yield Bad(400, method, address, form, FORM, error=(name, code) if code else None)
        for media_type in NO_MEDIA_TYPE_OF_OURS:
            yield Bad(415, method, address, b'{"%s": "x"}' % key, media_type)
    for method, address, _ in CREATES + EDITS:
        yield Bad(413, method, address, b"[" * 100_000 + b"]" * 100_000)
        yield Bad(413, method, address, b"x=" + b"x" * 128 * 1024, FORM)


def _methods() -> Iterator[Bad]:
    for address, allowed in ALLOWED.items():
        for method in sorted({"POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW", "Ü"} - allowed):
            yield Bad(405, method, address, b'{"name": "x", "body": "x"}')


def _addresses() -> Iterator[Bad]:
    for number in NO_NUMBERS:
        yield Bad(404, "GET", f"$application/chats/{number}")
        yield Bad(404, "GET", f"$application/chats/{number}/messages")
        yield Bad(404, "PUT", f"$chat/messages/{number}", b'{"body": "x"}')
    for token in NO_TOKENS:
        yield Bad(404, "GET", f"/applications/{token}")
        yield Bad(404, "POST", f"/applications/{token}/chats", b'{"name": "x"}')
        yield Bad(404, "GET", f"/applications/{token}/chats/1/messages/search?query=x")
    for address in ("/", "/%00", "/../", "/applications.json", "//%ff%00", "//" + "a" * 60_000):
        yield Bad(404, "GET", address)


def _queries() -> Iterator[Bad]:
    for address in LISTS:
        with_query = address + ("&" if "?" in address else "?")
        for name, values in (
            ("limit", NO_LIMITS),
            ("after", NO_BOUNDS),
            ("before", NO_BOUNDS),
            ("order", NO_ORDERS),
        ):
            for value in values:
                code = {"limit": ("number", "range"), "order": ("invalid",)}.get(name, ("number",))
                error = (name, code[-1] if value in ("0", "201") else code[0])
                yield Bad(400, "GET", f"{with_query}{name}={value}", error=error)
        for query in NO_QUERIES:
            yield Bad(400, "GET", with_query + query)
    for value in NO_LIMITS:
        yield Bad(400, "GET", f"/applications?limit={value}")
    for cursor in NO_CURSORS:
        yield Bad(400, "GET", f"/applications?cursor={cursor}", error=("cursor", "invalid"))
    search = "$chat/messages/search"
    yield Bad(400, "GET", search, error=("query", "required"))
    for query in ("", "x" * 257, "x" * 10_000_000):
        yield Bad(400, "GET", f"{search}?query={query}", error=("query", "length"))
    yield Bad(400, "GET", "$chat/messages?" + "a=1&" * 2_500_000)
    yield Bad(400, "GET", "/applications?limit=" + "9" * 10_000_000, error=("limit", "number"))


def _headers() -> Iterator[Bad]:
    for address in ALLOWED:
        asked = address + ("?query=x" if address.endswith("search") else "")
        for accept in NO_FORMATS:
            if (address, accept) != ("/docs", "text/*"):
                yield Bad(406, "GET", asked, headers={"Accept": accept})
    for method, address, name in CREATES + EDITS:
        body = b'{"%s": "x"}' % name.encode()
        yield Bad(406, method, address, body, headers={"Accept": "image/png"})
    for host in FOREIGN_HOSTS:
        for address in ("/applications", "$message", "/docs", "//health/live", "//admin/", "//x"):
            yield Bad(400, "GET", address, headers={"Host": host})


BAD_REQUESTS = list(chain(_fields(), _bodies(), _methods(), _addresses(), _queries(), _headers()))
