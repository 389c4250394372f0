"""From ASGI to the site and back: what is judged, what is read, and where each request runs.

A request is judged by its head first, unless all of it has come already: what is refused is never
read. Then its body is read, up to what its route takes. A create waits for its group and for
nothing else, so it runs on the event loop (infra.greenlet_bridge), and one thread has hundreds of
them under way. Requests that wait for the database get one of WEB_THREADS, or wait for one in a
bounded queue. Health and metrics have their own threads, because they matter most when the others
are stuck.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar
from urllib.parse import unquote_to_bytes

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

from infra import greenlet_bridge
from infra.timeouts import REQUEST_TURN_SECONDS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: The extension of ASGI by which the server shows the Connection of a request.
CONNECTION = "chatsystem.connection"

#: Requests that wait for a thread of health and metrics; there are few who ask.
_OPERATIONS_THREADS, _OPERATIONS_QUEUE = 4, 64

Result = TypeVar("Result")


class Connection(Protocol):
    """What the server knows of the connection on which a request came."""

    #: Whether all of the request is there.
    is_request_whole: bool
    #: Whether only health may be asked for, because there are too many connections.
    is_spare: bool

    def count_refusal(self, bound: Literal["connections", "queue"]) -> None:
        """Count that a request of this connection is refused at a bound."""

    async def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> None:
        """Send a whole answer, in one piece; ASGI's two messages cost as much as its view."""


class Place(Enum):
    """Where a request runs."""

    LOOP = auto()
    REQUESTS = auto()
    OPERATIONS = auto()


@dataclass(frozen=True)
class Plan:
    """What is known of a request by its route: where it runs, and how large its body may be."""

    place: Place
    max_request_bytes: int


class Answer(NamedTuple):
    """The answer to a request, as a whole."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


class Refused(Exception):
    """The request is answered without asking its view: `status` and `detail` say why."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Site(Protocol):
    """All routes."""

    def plan(self, environ: "WSGIEnvironment") -> Plan:
        """What is known of the request by its route."""

    def judge(self, environ: "WSGIEnvironment") -> Answer | None:
        """The answer that the request's head alone has earned, or None where its body matters."""

    def answer(self, environ: "WSGIEnvironment") -> Answer:
        """The answer to the request."""

    def refuse(self, environ: "WSGIEnvironment", status: HTTPStatus, detail: str) -> Answer:
        """An answer that refuses the request."""


class QueueFull(Exception):
    """No thread was free in time, or too many requests wait for one."""


class _Threads:
    """Threads for work that blocks, and a bounded queue of those that wait for one."""

    def __init__(self, name: str, threads: int, queue: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = asyncio.Semaphore(threads)
        self._queue = queue
        self._waiting = 0

    async def run(self, work: Callable[..., Result], *args: Any) -> Result:
        """What the work returns or raises. Raises QueueFull, and then has not begun it."""
        if self._free.locked():
            await self._wait()
        else:
            await self._free.acquire()
        future = self._pool.submit(work, *args)
        try:
            return await asyncio.wrap_future(future)
        finally:
            # A client that is gone leaves its thread at work.
            self._release(future)

    async def _wait(self) -> None:
        if self._waiting >= self._queue:
            raise QueueFull
        self._waiting += 1
        try:
            async with asyncio.timeout(REQUEST_TURN_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise QueueFull from None
        finally:
            self._waiting -= 1

    def _release(self, future: "Future[Any]") -> None:
        if future.done():
            self._free.release()
        else:
            loop = asyncio.get_running_loop()
            future.add_done_callback(lambda _: self._release_on(loop))

    def _release_on(self, loop: asyncio.AbstractEventLoop) -> None:
        # The loop is closed where the process has ended meanwhile; the thread is waited for.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._free.release)


class Application:
    """The ASGI application; `queue` is how many requests may wait for one of its threads."""

    def __init__(self, site: Site, threads: int, queue: int) -> None:
        self._site = site
        self._threads = {
            Place.REQUESTS: _Threads("request", threads, queue),
            Place.OPERATIONS: _Threads("operations", _OPERATIONS_THREADS, _OPERATIONS_QUEUE),
        }

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        connection: Any = (scope.get("extensions") or {}).get(CONNECTION)
        environ = environment(scope)
        try:
            answer = await self._answer(environ, receive, connection)
        except Refused as refused:
            answer = self._site.refuse(environ, refused.status, refused.detail)
        except QueueFull:
            if connection:
                connection.count_refusal("queue")
            status, detail = HTTPStatus.SERVICE_UNAVAILABLE, "Too many requests are waiting."
            answer = self._site.refuse(environ, status, detail)
        if answer is None:
            return
        body = b"" if scope["method"] == "HEAD" else answer.body
        if connection:
            await connection.respond(answer.status, answer.headers, body)
        else:
            await _send(send, answer.status, answer.headers, body)

    async def _answer(
        self,
        environ: "WSGIEnvironment",
        receive: ASGIReceiveCallable,
        connection: Connection | None,
    ) -> Answer | None:
        """The answer; None for a client that is gone. Raises Refused, QueueFull."""
        _require_well_formed(environ)
        if connection and connection.is_spare and not environ["PATH_INFO"].startswith("/health/"):
            connection.count_refusal("connections")
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections.")
        plan = self._site.plan(environ)
        if _has_body(environ):
            if not (connection and connection.is_request_whole):
                refusal = await self._run(plan.place, self._site.judge, environ)
                if refusal is not None:
                    return refusal
            body = await _body(receive, plan.max_request_bytes)
            if body is None:
                return None
            environ["wsgi.input"] = BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        return await self._run(plan.place, self._site.answer, environ)

    async def _run(
        self, place: Place, work: "Callable[[WSGIEnvironment], Result]", environ: "WSGIEnvironment"
    ) -> Result:
        if place is Place.LOOP:
            return await greenlet_bridge.spawn(work, environ)
        return await self._threads[place].run(work, environ)


def _require_well_formed(environ: "WSGIEnvironment") -> None:
    """Raises Refused for a request that HTTP/1.1 forbids and the server lets through."""
    if environ["SERVER_PROTOCOL"] == "HTTP/1.1" and "HTTP_HOST" not in environ:
        raise Refused(HTTPStatus.BAD_REQUEST, "The request has no Host.")
    if environ["REQUEST_METHOD"] != environ["REQUEST_METHOD"].upper():
        # Django would take it for the one in upper case, which no proxy does.
        raise Refused(HTTPStatus.NOT_IMPLEMENTED, "Methods are written in upper case.")
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    if coding is not None and coding.lower() != "chunked":
        detail = "Of the transfer codings only chunked is understood."
        raise Refused(HTTPStatus.NOT_IMPLEMENTED, detail)
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        detail = "A request with a Content-Encoding is not understood: send it as it is."
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)


def _has_body(environ: "WSGIEnvironment") -> bool:
    return "HTTP_TRANSFER_ENCODING" in environ or environ.get("CONTENT_LENGTH", "0") != "0"


async def _body(receive: ASGIReceiveCallable, limit: int) -> bytes | None:
    """The body, or as much of it as shows that it is too long; None of one that breaks off."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunks.append(message["body"])
        size += len(message["body"])
        if not message["more_body"] or size > limit:
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _send(
    send: ASGISendCallable, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> None:
    """Send an answer by a server that knows nothing of this application."""
    start: Any = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})


def environment(scope: HTTPScope) -> "WSGIEnvironment":
    """The request as WSGI has it (PEP 3333), for Django's requests; its body is empty."""
    server, client = scope["server"] or ("", 0), scope["client"] or ("", 0)
    target, host = _split_target(scope["raw_path"])
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": _decoded(target),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        # A proxy may vouch for X-Real-IP and let X_Real_IP pass: to WSGI they are one.
        if b"_" in name:
            continue
        variable = _VARIABLES.get(name) or _variable(name)
        text, before = value.decode("latin-1"), environ.get(variable)
        comma = "; " if name == b"cookie" else ","
        environ[variable] = text if before is None else f"{before}{comma}{text}"
    # HTTP/1.1 wants a Host all the same (RFC 9112, section 3.2).
    if host is not None and ("HTTP_HOST" in environ or scope["http_version"] == "1.0"):
        environ["HTTP_HOST"] = host
    return environ


def _split_target(target: bytes) -> tuple[bytes, str | None]:
    """The path, and the host of an absolute form, which counts (RFC 9112, section 3.2.2)."""
    if target.startswith(b"/") or not target.lower().startswith((b"http://", b"https://")):
        return target, None
    authority, slash, path = target.partition(b"://")[2].partition(b"/")
    return slash + path or b"/", authority.decode("latin-1")


def _decoded(path: bytes) -> str:
    """The path as Latin-1 (PEP 3333). An escaped slash stays so, because it separates nothing."""
    if b"%" not in path:
        return path.decode("latin-1")
    parts = path.replace(b"%2f", b"%2F").split(b"%2F")
    return b"%2F".join(map(unquote_to_bytes, parts)).decode("latin-1")


def _variable(header: bytes) -> str:
    name = header.decode("latin-1").upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


#: The names that nearly all requests have. Others are made anew: a cache of them would hold
#: whatever clients send.
_VARIABLES = {
    name: _variable(name)
    for name in (
        *(b"host", b"user-agent", b"accept", b"accept-encoding", b"connection", b"authorization"),
        *(b"content-type", b"content-length", b"idempotency-key", b"if-match", b"if-none-match"),
        *(b"origin", b"cookie", b"x-request-id", b"x-forwarded-proto", b"x-forwarded-for"),
    )
}
