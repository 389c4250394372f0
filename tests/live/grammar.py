"""Requests as bytes, well-formed and not, as Hypothesis makes them: a grammar, then mutations.

An example is bytes alone, so it shrinks and repeats. PLACE stands in it wherever a word goes that
is new each time the example is sent, and of the same length: ids of requests, texts of messages.
"""

from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from hypothesis import strategies as st

#: As long as what replaces it.
PLACE = b"@@PLACE@@"
TOKEN = b"@" * 24
CHATS = b"/api/v1/applications/" + TOKEN + b"/chats"
#: Creates go into the first chat, edits into the second.
MESSAGES, EDITED = CHATS + b"/1/messages", CHATS + b"/2/messages/1"


class End(Enum):
    """How a client ends its connection."""

    #: It closes its sending side at once, and reads all answers.
    HALF_CLOSED = auto()
    #: The same, once it has all answers that it waits for.
    AWAITED = auto()
    #: It resets the connection, and reads nothing.
    ABORTED = auto()


@dataclass(frozen=True)
class Talk:
    """What one client sends: the bytes, where they are split, and how it ends."""

    bytes_: bytes
    cuts: tuple[float, ...]
    end: End

    def segments(self, data: bytes) -> list[bytes]:
        """The data, split."""
        places = [0, *sorted(int(cut * len(data)) for cut in self.cuts), len(data)]
        return [data[start:stop] for start, stop in pairwise(places) if start < stop]


def _mostly(usual: bytes, *others: bytes) -> st.SearchStrategy[bytes]:
    """The usual one seven times out of eight."""
    return st.integers(0, 7).flatmap(
        lambda chance: st.sampled_from(others) if chance == 7 else st.just(usual)
    )


def _rarely(*lines: bytes) -> st.SearchStrategy[bytes | None]:
    """One of the lines in one request of six."""
    return st.integers(0, 5).flatmap(
        lambda chance: st.sampled_from(lines) if chance == 5 else st.none()
    )


_VERSIONS = _mostly(
    b"HTTP/1.1",
    *(b"HTTP/1.0", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/0.9", b"HTTP/2.0", b"http/1.1", b"HTTP/11"),
    *(b"HTTP/1.1 ", b"HTTP/1.01", b"", b"HTTP/1.\xb9", b" HTTP/1.1"),
)
_METHODS = st.sampled_from([
    *(b"OPTIONS", b"DELETE", b"TRACE", b"CONNECT", b"PROPFIND", b"get", b"PRI", b"G\0T", b""),
    *(b"X" * 60, b"GE T"),
    *(b"P\xd6ST", b"!#$%&'*+-.^_`|~", b"\r\nGET", b" GET", b"\nGET", b"\r\n\r\nGET"),
])  # fmt: skip
_TARGETS = st.sampled_from([
    *(b"/health/live", b"/nothing", b"*", b"localhost:80", b"http://localhost" + MESSAGES, b"//x"),
    *(b"HTTP://localhost:80/health/live", b"http://evil.example/health/live", b"http://", b"?a=b"),
    *(b"/a b", b"/\xff", b"/%00", b"/%zz", b"/" + b"a" * 9000, b"", b"/#x", b"/\t", b"/\x7f"),
    *(MESSAGES + b"/search?query=a", MESSAGES + b"/../../1", b"https://localhost/", b"ftp://x/y"),
    *(b"/\\", CHATS + b"?limit=0", b"/admin/", b"/metrics", MESSAGES.replace(b"chats", b"%63hats")),
])  # fmt: skip
_HOSTS = _mostly(
    b"Host: localhost",
    *(b"", b"Host: localhost\r\nHost: localhost", b"Host: localhost\r\nhost: evil.example"),
    *(b"Host:", b"Host: evil.example", b"Host: a b", b"Host: localhost:x", b"Host: loc\0al"),
    *(b"hOsT:localhost\t ", b"Host : localhost", b"Host: 127.0.0.1,localhost"),
)
_CONNECTIONS = _rarely(
    *(b"Connection: close", b"Connection: keep-alive", b"Connection: Keep-Alive", b"Connection:"),
    *(b"Connection: close, x-y", b"Connection: x-close", b"Connection: keep-alive, CLOSE"),
    *(b"Connection: close, x\r\nConnection: keep-alive", b"Connection: te\r\nConnection: close"),
    *(b"Connection: X-Request-ID", b"Connection: transfer-encoding", b"Keep-Alive: timeout=5"),
    *(b"Proxy-Connection: close", b"Connection: closed", b'Connection: "close"'),
)
_UPGRADES = _rarely(
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
    b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Connection: Upgrade\r\nUpgrade: websocket",
    b"Connection: upgrade\r\nUpgrade: TLS/1.0, HTTP/2.0",
    b"Upgrade: h2c",
    b"Connection: Upgrade",
)
_EXPECTS = _rarely(
    *(b"Expect: 100-continue", b"Expect: 100-Continue", b"Expect: 200-ok", b"Expect:"),
    b"Expect: 100-continue\r\nExpect: 100-continue",
)
_OTHERS = _rarely(
    *(
        b"X-Folded: a\r\n b",
        b"X-Folded: a\r\n\t",
        b"no colon",
        b": nameless",
        b"X Y: z",
        b"X-N: a\0b",
    ),
    *(
        b"X-C: \x01\x7f",
        b"X-O: \xe9\xff",
        b"X-Long: " + b"x" * 9000,
        b"\xc3\xa9: x",
        b"X-E:",
        b"X-B:\x0b",
    ),
    *(b"\r\n".join(b"X-%d: x" % n for n in range(120)), b"X_Request_ID: other", b"X-R: a\rb"),
    *(
        b"X-Request-ID: second",
        b"Content-Type: text/plain",
        b"X-Forwarded-Proto: https",
        b"X-L: a\nb",
    ),
    *(
        b"Content-Encoding: gzip",
        b"Cookie: sessionid=x",
        b"Authorization: Bearer x",
        b"If-Match: *",
    ),
    *(b"Trailer: X-T", b"TE: trailers, gzip", b"Content_Length: 4", b"Transfer_Encoding: chunked"),
    *(b"Range: bytes=0-1", b"Content-Type: application/json; charset=utf-16", b"X-T: a\x0cb\x1c"),
)
_LENGTHS = _mostly(
    b"Content-Length: %d",
    *(b"Content-Length: %d\r\nContent-Length: %d", b"Content-Length: %d\r\nContent-Length: 0"),
    *(
        b"Content-Length: %d, %d",
        b"Content-Length: +%d",
        b"Content-Length: 0x%x",
        b"Content-Length: -%d",
    ),
    *(
        b"Content-Length: 000%d",
        b"Content-Length: 1%d",
        b"Content-Length: %d0",
        b"Content-Length: 7",
    ),
    *(
        b"Content-Length: %d\r\nTransfer-Encoding: identity",
        b"Content-Length : %d",
        b"Content-Length:",
    ),
    *(
        b"Content-Length: %d\r\nTransfer-Encoding: chunked",
        b"content-length:%d \t",
        b"X-Length: %d",
    ),
    *(b"Content-Length: 99999999999999999999", b"Content-Length: %d ;x", b"Content-Length:\x0b%d"),
    *(b"Content-Length: \xb2", b"Content-Length:\r\n %d", b"Content-Length: %d\r\nContent-Length:"),
)
_CODINGS = _mostly(
    b"Transfer-Encoding: chunked",
    *(
        b"transfer-encoding:CHUNKED",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: identity",
    ),
    *(
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked, gzip",
        b"Transfer-Encoding:",
    ),
    *(
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunked;q=1",
    ),
    *(
        b"Transfer-Encoding: \x0bchunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    ),
    *(
        b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        b'Transfer-Encoding: "chunked"',
    ),
    *(b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"Transfer-Encoding:\r\n chunked"),
    *(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: , chunked"),
    *(b"Transfer-Encoding: chunked,", b"Transfer-Encoding: chu\0nked", b"Transfer-Encoding: \xff"),
)
_SIZES = _mostly(
    b"%x\r\n",
    *(
        b"%X\r\n",
        b"000%x\r\n",
        b"0" * 30 + b"%x\r\n",
        b"%x;a=b\r\n",
        b'%x;a="b\\"c";d\r\n',
        b"%x;\r\n",
    ),
    *(
        b"%x \r\n",
        b" %x\r\n",
        b"%x ;a\r\n",
        b"0x%x\r\n",
        b"+%x\r\n",
        b"-%x\r\n",
        b"%x\n",
        b"%x\r",
        b"%xg\r\n",
    ),
    *(
        b"%x;a\nb\r\n",
        b"%x;a\rb\r\n",
        b"%x;" + b"e" * 9000 + b"\r\n",
        b"f%x\r\n",
        b"1%x\r\n",
        b"\r\n",
    ),
    *(b"%x;=b\r\n", b"%x; a = b\r\n", b"%x\t\r\n", b"%x,\r\n", b"%x;a=\xff\r\n", b"%x;\0\r\n"),
    b"ffffffffffffffff%x\r\n",
)
_CHUNK_ENDS = _mostly(b"\r\n", b"", b"\n", b"\r", b"x\r\n", b"\r\n\r\n", b"\n\r")
_TRAILERS = _mostly(
    b"0\r\n\r\n",
    *(b"0\r\nX-T: 1\r\n\r\n", b"00\r\n\r\n", b"0;a=b\r\n\r\n", b"0\r\n", b"0\r\n\n", b"0\n\n", b""),
    *(
        b"0\r\nAuthorization: Bearer x\r\n\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"0\r\nno colon\r\n\r\n",
    ),
    *(b"0\r\nX-Forwarded-Proto: https\r\nX-Request-ID: late\r\n\r\n", b"0\r\nX-T: a\r\n b\r\n\r\n"),
    *(
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"0\r\nHost: evil.example\r\n\r\n",
        b"0\r\n: x\r\n\r\n",
    ),
    *(b"0\r\nX-T: \0\r\n\r\n", b"0\r\nX T: 1\r\n\r\n", b"0\r\n" + b"X-T: x\r\n" * 120 + b"\r\n"),
    *(
        b"0\r\nX-T: " + b"x" * 9000 + b"\r\n\r\n",
        b"0\r\nX-T : 1\r\n\r\n",
        b"-0\r\n\r\n",
        b"0\r\n \r\n\r\n",
    ),
    *(b"0\r\nX-T: a\nb\r\n\r\n", b"0\r\nX-T: a\rb\r\n\r\n", b"0\r\nX\xff: a\r\n\r\n"),
)
_TEXTS = st.sampled_from(
    [b"", b" short", b" long " + b"x" * 300, b" GET /health/live HTTP/1.1\\r\\n"]
)


def _filled(template: bytes, number: int) -> bytes:
    count = template.count(b"%d") + template.count(b"%x") + template.count(b"%X")
    return template % ((number,) * count) if count else template


@st.composite
def _chunks(draw: st.DrawFn, body: bytes) -> bytes:
    start = body.index(PLACE)
    end = start + len(PLACE)
    between = st.one_of(st.integers(1, start), st.integers(end, len(body) - 1))
    cuts = sorted(draw(st.lists(between, max_size=2, unique=True)))
    chunked = b""
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        some = body[start:end]
        chunked += _filled(draw(_SIZES), len(some)) + some + draw(_CHUNK_ENDS)
    return chunked + draw(_TRAILERS)


@st.composite
def _request(draw: st.DrawFn, number: int) -> bytes:
    name = b"%s-%02d" % (PLACE, number)
    kind = draw(st.sampled_from(["create", "create", "create", "read", "read", "edit", "odd"]))
    method, target = {
        "create": (b"POST", MESSAGES),
        "read": (draw(st.sampled_from([b"GET", b"HEAD"])), MESSAGES + b"?limit=1"),
        "edit": (b"PATCH", EDITED),
        "odd": (draw(st.one_of(st.just(b"GET"), _METHODS)), draw(_TARGETS)),
    }[kind]
    body = b""
    if kind in ("create", "edit") or draw(st.integers(0, 7)) == 7:
        body = b'{"body": "%s%s"}' % (name, draw(_TEXTS))
    lines: list[bytes | None] = [
        b"%s %s %s" % (method, target, draw(_VERSIONS)),
        draw(_HOSTS),
        b"X-Request-ID: " + name,
    ]
    lines += [draw(some) for some in (_CONNECTIONS, _UPGRADES, _EXPECTS, _OTHERS)]
    if body:
        lines.append(b"Content-Type: application/json")
        if draw(st.booleans()):
            lines.append(_filled(draw(_LENGTHS), len(body)))
        else:
            lines.append(draw(_CODINGS))
            body = draw(_chunks(body))
    there = [line for line in lines if line]
    ends = [b"\r\n"] * len(there)
    if draw(st.integers(0, 15)) == 15:
        wrong = st.sampled_from([b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r\n"])
        ends[draw(st.integers(0, len(ends) - 1))] = draw(wrong)
    head = b"".join(line + end for line, end in zip(there, ends, strict=True))
    return head + draw(_mostly(b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"")) + body


@st.composite
def _mutated(draw: st.DrawFn, data: bytes) -> bytes:
    place = draw(st.integers(0, len(data)))
    some = draw(
        st.sampled_from(
            [b"\0", b"\n", b"\r\n", b"\r", b" ", b"\xff", b":", b"0", b"\r\n\r\n", b"\t"]
        )
    )
    until = min(len(data), place + draw(st.integers(0, 20)))
    match draw(st.sampled_from(["insert", "remove", "replace", "repeat"])):
        case "insert":
            return data[:place] + some + data[place:]
        case "remove":
            return data[:place] + data[until:]
        case "replace":
            return data[:place] + some + data[until:]
        case _:
            return data[:until] + data[place:]


@st.composite
def talks(draw: st.DrawFn) -> Talk:
    """One to four requests on one connection."""
    data = b"".join(draw(_request(number)) for number in range(draw(st.integers(1, 4))))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        data = draw(_mutated(data))
    cuts = tuple(draw(st.lists(st.floats(0, 1), max_size=4)))
    end = draw(st.sampled_from([End.HALF_CLOSED] * 4 + [End.AWAITED] * 4 + [End.ABORTED]))
    return Talk(data, cuts, end)
