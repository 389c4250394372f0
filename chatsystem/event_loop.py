"""The site by granian's RSGI: creates on its event loop, everything else in threads.

A create waits for its group and for nothing else, so one thread has hundreds of them under way
(core.suspending). What asks the database by itself has one of WEB_THREADS meanwhile. A body that
comes slowly has neither.
"""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache, partial
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.handlers.wsgi import WSGIRequest
from granian.rsgi import (  # type: ignore[attr-defined] # granian says it with "as"
    Headers,
    HTTPProtocol,
    ProtocolClosed,
    Scope,
)

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

    def __init__(self, site: SiteHandler, threads: int) -> None:
        self._site = site
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._deadlines = Deadlines(REQUEST_BODY_SECONDS)

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """Answer one request."""
        environ = environment(scope)
        if not await self._read(environ, protocol):
            return
        if self._site.may_be_suspended(environ):
            answer = await suspending.call(self._answer, environ)
        else:
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._threads, self._answer, environ)
        protocol.response_bytes(answer.status, answer.headers, answer.body)

    async def _read(self, environ: "WSGIEnvironment", protocol: HTTPProtocol) -> bool:
        """Put the body in, of one that breaks off nothing; false where it was too late."""
        length = environ.get("CONTENT_LENGTH")
        if length == "0" or (length is None and "HTTP_TRANSFER_ENCODING" not in environ):
            return True
        too_late = partial(_answer_too_late, environ, protocol)
        self._deadlines.set(too_late)
        with suppress(ProtocolClosed):
            if length is not None and int(length) <= MAX_REQUEST_BYTES:
                content = await protocol()
            else:
                content = await _beginning(protocol)
            environ["wsgi.input"] = BytesIO(content)
        return self._deadlines.meet(too_late)

    def _answer(self, environ: "WSGIEnvironment") -> Answer:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _error: object = None
        ) -> Callable[[bytes], object]:
            started.append((status, headers))
            return _refuse

        chunks = self._site(environ, start_response)
        try:
            content = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        status, headers = started[-1]
        return Answer(int(status[:3]), headers, content)


async def _beginning(protocol: HTTPProtocol) -> bytes:
    """As much of a body as shows that it is too long. Raises ProtocolClosed."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in protocol:
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_REQUEST_BYTES:
            break
    return b"".join(chunks)


def _answer_too_late(environ: "WSGIEnvironment", protocol: HTTPProtocol) -> None:
    """Close the connection with an answer: reading from it ends with ProtocolClosed."""
    answer = problem(WSGIRequest(environ), HTTPStatus.REQUEST_TIMEOUT, "The body came too slowly.")
    headers = [*answer.items(), ("Connection", "close")]
    protocol.response_bytes(answer.status_code, headers, answer.content)


def environment(scope: Scope) -> "WSGIEnvironment":
    """The request as WSGI has it (PEP 3333), before its body has come."""
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
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    _add_headers(environ, scope.headers)
    return environ


def _add_headers(environ: "WSGIEnvironment", headers: Headers) -> None:
    names = set()
    for name, value in headers.items():
        names.add(name)
        if variable := _variable(name):
            before = environ.get(variable)
            comma = "; " if name == "cookie" else ","
            environ[variable] = value if before is None else f"{before}{comma}{value}"
    if len(names) < len(headers):  # type: ignore[arg-type] # it has a length
        # RSGI leaves out what is not visible ASCII; that there was something must not be lost.
        for variable in filter(None, map(_variable, headers.keys())):
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
