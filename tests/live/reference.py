"""How a strict parser, h11, reads the bytes that a client sends on one connection."""

import ast
import re
from dataclasses import dataclass, field

import h11

from api.handler import VALID_REQUEST_ID as SANE

#: No limit of h11's own counts.
_UNLIMITED = 10**9
_HEAD_END = re.compile(rb"\r?\n\r?\n")

#: What a server may let pass: a request without a Host is answered 400 and ends where it ends; runs
#: of spaces are allowed by RFC 9112, section 3; zeros before a size say nothing, and a server that
#: ignores trailers needs no more of them than the empty line behind.
NO_HOST, SPACES, ZEROS, TRAILER = "no Host", "spaces", "zeros", "trailer"


@dataclass
class Heard:
    """One request, and the bytes that it is made of."""

    method: str
    target: bytes
    version: str
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    raw: bytes = b""
    #: What had to be mended before h11 took it.
    mended: list[str] = field(default_factory=list)

    def values(self, name: bytes) -> list[bytes]:
        """The values of the headers of this name."""
        return [value for given, value in self.headers if given == name]

    @property
    def request_id(self) -> str | None:
        """The id that the server echoes; None if the server generates one."""
        given = b",".join(self.values(b"x-request-id")).decode("latin-1")
        return given if SANE.match(given) else None

    @property
    def is_last(self) -> bool:
        """Whether the server must close the connection after it (RFC 9112, section 9.3)."""
        options = re.split(rb"[ \t]*,[ \t]*", b",".join(self.values(b"connection")).lower())
        return (
            b"close" in options
            or self.method == "CONNECT"
            or (self.version < "1.1" and b"keep-alive" not in options)
        )

    @property
    def head(self) -> bytes:
        """Its bytes without those of the body."""
        return _HEAD_END.split(self.raw.lstrip(b"\r\n"), maxsplit=1)[0]

    @property
    def framing(self) -> bytes:
        """The bytes of its body, with those that say how long it is."""
        return self.raw.lstrip(b"\r\n")[len(self.head) :]


@dataclass
class Hearing:
    """All that came: whole requests, and what follows them."""

    requests: list[Heard] = field(default_factory=list)
    #: The request behind them whose head is there, and whose body is cut or bad.
    begun: Heard | None = None
    #: The bytes behind the whole requests.
    rest: bytes = b""
    #: Whether these are no HTTP.
    is_bad: bool = False


def hear(data: bytes) -> Hearing:
    """The requests of these bytes, up to the first after which the connection is closed."""
    hearing = Hearing(rest=data)
    mended: list[str] = []
    while hearing.rest:
        # One empty line before a request is ignored (RFC 9112, section 2.2); h11 refuses it.
        behind = hearing.rest.removeprefix(b"\r\n")
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_UNLIMITED)
        hearing.begun = None
        connection.receive_data(behind)
        try:
            heard = _heard(connection, hearing)
        except h11.RemoteProtocolError as error:
            what, hearing.rest = _mend(str(error), behind, is_in_body=hearing.begun is not None)
            if hearing.rest == behind:
                hearing.is_bad = True
                return hearing
            mended.append(what)
            continue
        if heard is None:
            return hearing
        left = connection.trailing_data[0]
        heard.raw, heard.mended, mended = behind[: len(behind) - len(left)], mended, []
        hearing.requests.append(heard)
        hearing.begun, hearing.rest = None, left
        if heard.is_last:
            hearing.rest = b""
    return hearing


def _mend(error: str, data: bytes, *, is_in_body: bool) -> tuple[str, bytes]:
    """What is wrong and the bytes without it, where a server may let it pass; else "".

    Where such a request ends is beyond doubt.
    """
    if "Missing mandatory Host" in error:
        first, end, headers = data.partition(b"\n")
        return NO_HOST, first + end + b"Host: x\r\n" + headers
    if "continuation line at start" in error and is_in_body:
        head = _HEAD_END.split(data, maxsplit=1)[0]
        behind = re.sub(rb"\n[ \t][^\n]*\n", b"\n", data[len(head) :], count=1)
        return TRAILER, head + behind
    shown = re.fullmatch(r"(illegal [a-z ]+): bytearray\((b.*)\)", error)
    line: bytes = ast.literal_eval(shown[2]) if shown else b""
    match shown and shown[1]:
        case "illegal request line" if re.fullmatch(rb"[^ ]+ +[^ ]+ +HTTP/1\.[01]", line):
            return SPACES, data.replace(line, re.sub(rb" +", b" ", line), 1)
        case "illegal chunk header" if re.match(rb"0{5,}[1-9a-fA-F]", line):
            return ZEROS, data.replace(line, line.lstrip(b"0"), 1)
        case "illegal header line" if is_in_body and line:
            return TRAILER, data.replace(b"\n" + line + b"\r\n", b"\n", 1)
    return "", data


def _heard(connection: h11.Connection, hearing: Hearing) -> Heard | None:
    while True:
        event = connection.next_event()
        match event:
            case h11.Request():
                hearing.begun = Heard(
                    event.method.decode(),
                    event.target,
                    event.http_version.decode(),
                    [(bytes(name), bytes(value)) for name, value in event.headers],
                )
            case h11.Data():
                assert hearing.begun
                hearing.begun.body += bytes(event.data)
            case h11.EndOfMessage():
                return hearing.begun
            case _:
                return None
