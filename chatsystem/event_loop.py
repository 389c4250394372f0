"""The site by granian's RSGI: creates on its event loop, everything else in threads.

A create waits for its group and for nothing else, so one thread has hundreds of them under way
(core.suspending). What asks the database by itself has one of WEB_THREADS meanwhile. A body that
comes slowly has neither.
"""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.handlers.wsgi import WSGIRequest
from granian.rsgi import HTTPProtocol, ProtocolClosed, Scope  # type: ignore[attr-defined] # "as"

from chatsystem.errors import problem
from chatsystem.handler import SiteHandler
from core import suspending
from core.deadlines import Deadlines
from core.timeouts import REQUEST_BODY_SECONDS
from messages_app.bulk import MAX_REQUEST_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: What a header is shown as whose value is not visible ASCII: no value that is ours.
_UNREADABLE = "\ufffd"


class Answer(NamedTuple):
    """As the application gave it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Server:
    """The application, with so many threads for what waits by itself."""

    def __init__(self, application: SiteHandler, threads: int) -> None:
        self._application = application
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._deadlines = Deadlines(REQUEST_BODY_SECONDS)

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """Answer one request."""
        content = await self._read(scope, protocol)
        if content is None:
            return
        environ = environment(scope, content)
        if self._application.may_be_suspended(environ):
            answer = await suspending.call(self._answer, environ)
        else:
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._threads, self._answer, environ)
        protocol.response_bytes(answer.status, answer.headers, answer.body)

    async def _read(self, scope: Scope, protocol: HTTPProtocol) -> bytes | None:
        """The body; nothing of one that breaks off. None where it was too late, and is answered."""
        if not _has_body(scope):
            return b""
        too_late = partial(_answer_too_late, scope, protocol)
        self._deadlines.set(too_late)
        try:
            content = await body(scope, protocol)
        except ProtocolClosed:
            content = b""
        return content if self._deadlines.meet(too_late) else None

    def _answer(self, environ: "WSGIEnvironment") -> Answer:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _error: object = None
        ) -> Callable[[bytes], object]:
            started.append((status, headers))
            return _refuse

        chunks = self._application(environ, start_response)
        try:
            content = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        status, headers = started[-1]
        return Answer(int(status[:3]), headers, content)


def _has_body(scope: Scope) -> bool:
    length = scope.headers.get("content-length")
    if length is None:
        return "transfer-encoding" in scope.headers
    return bool(length != "0")


async def body(scope: Scope, protocol: HTTPProtocol) -> bytes:
    """The request's body, or the beginning of one that is too long. Raises ProtocolClosed."""
    length = scope.headers.get("content-length")
    if length is not None and int(length) <= MAX_REQUEST_BYTES:
        content: bytes = await protocol()
        return content
    chunks: list[bytes] = []
    size = 0
    async for chunk in protocol:
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_REQUEST_BYTES:
            break
    return b"".join(chunks)


def _answer_too_late(scope: Scope, protocol: HTTPProtocol) -> None:
    """Close the connection with an answer: reading from it ends with ProtocolClosed."""
    asked = WSGIRequest(environment(scope, b""))
    answer = problem(asked, HTTPStatus.REQUEST_TIMEOUT, "The body came too slowly.")
    headers = [*answer.items(), ("Connection", "close")]
    protocol.response_bytes(answer.status_code, headers, answer.content)


def environment(scope: Scope, content: bytes) -> "WSGIEnvironment":
    """The request as WSGI has it (PEP 3333)."""
    server, _, port = scope.server.rpartition(":")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "SERVER_NAME": server,
        "SERVER_PORT": port,
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(content),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    _add_headers(environ, scope)
    return environ


def _add_headers(environ: "WSGIEnvironment", scope: Scope) -> None:
    names = set()
    for name, value in scope.headers.items():
        names.add(name)
        if variable := _variable(name):
            before = environ.get(variable)
            comma = "; " if name == "cookie" else ","
            environ[variable] = value if before is None else f"{before}{comma}{value}"
    if len(names) < len(scope.headers):  # type: ignore[arg-type] # it has a length
        # RSGI leaves out what is not visible ASCII; that there was something must not be lost.
        for variable in filter(None, map(_variable, scope.headers.keys())):
            environ.setdefault(variable, _UNREADABLE)


@lru_cache(maxsize=1000)
def _variable(header: str) -> str:
    """What WSGI calls it; nothing where that is another's name, which a proxy may vouch for."""
    if "_" in header:
        return ""
    name = header.upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


def _refuse(_: bytes) -> Any:
    raise NotImplementedError("nothing here writes by WSGI's old way")
