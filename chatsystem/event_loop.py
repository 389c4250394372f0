"""The site by ASGI: creates on the event loop, everything else in threads.

A create waits for its group and for nothing else, so one thread has hundreds of them under way
(core.suspending). What asks the database by itself has one of WEB_THREADS meanwhile. A request that
comes slowly has neither.
"""

import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import unquote_to_bytes

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

from core import suspending
from messages_app.bulk import MAX_REQUEST_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


#: The extension of ASGI by which the server sends an Answer whole.
AT_ONCE = "chatsystem.at_once"


class Site(Protocol):
    """A WSGI application that says which requests may be answered on the loop."""

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse", /
    ) -> Iterable[bytes]:
        """Answer one request."""

    def may_be_suspended(self, environ: "WSGIEnvironment") -> bool:
        """Whether nothing that it needs waits but by core.suspending."""


class Answer(NamedTuple):
    """As the application gave it."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


class Server:
    """The application, with so many threads for what waits by itself."""

    def __init__(self, site: Site, threads: int) -> None:
        self._site = site
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, _send: ASGISendCallable
    ) -> None:
        """Answer one request, at once."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        # It refers to the scope: there it would make garbage of both.
        respond = scope["extensions"].pop(AT_ONCE)  # type: ignore[union-attr] # protocol has seen to it
        content = await _content(receive)
        if content is None:
            return
        environ = environment(scope, content)
        if self._site.may_be_suspended(environ):
            answer = await suspending.call(self._answer, environ)
        else:
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._threads, self._answer, environ)
        await respond(answer)  # type: ignore[operator] # likewise

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
        code = int(status[:3])
        if code == HTTPStatus.NOT_MODIFIED:
            # It would be that of the body that is not sent, which nobody has made.
            headers = [header for header in headers if header[0] != "Content-Length"]
        return Answer(code, headers, content)


async def _content(receive: ASGIReceiveCallable) -> bytes | None:
    """The body, or as much of it as shows that it is too long; None of one that breaks off."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunks.append(message["body"])
        size += len(message["body"])
        if not message.get("more_body") or size > MAX_REQUEST_BYTES:
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def environment(scope: HTTPScope, content: bytes) -> "WSGIEnvironment":
    """The request as WSGI has it (PEP 3333)."""
    server, client = scope["server"] or ("", 0), scope["client"] or ("", 0)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        # Of what has no meaning in UTF-8 the server would tell less than was sent.
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(content),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if variable := _variable(name):
            text, before = value.decode("latin-1"), environ.get(variable)
            comma = "; " if name == b"cookie" else ","
            environ[variable] = text if before is None else f"{before}{comma}{text}"
    return environ


@lru_cache(maxsize=1000)
def _variable(header: bytes) -> str:
    """What WSGI calls it; nothing where that is another's name, which a proxy may vouch for."""
    if b"_" in header:
        return ""
    name = header.decode("latin-1").upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


def _refuse(_: bytes) -> Any:
    raise NotImplementedError("nothing here writes by WSGI's old way")
