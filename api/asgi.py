"""The ASGI application: checks the head of a request, reads its body, and chooses where it runs.

A create runs on the event loop (infra.event_loop). A request that needs the database gets one of
WEB_THREADS, or waits for one in a bounded queue. Health and metrics have threads of their own.
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
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar
from urllib.parse import unquote_to_bytes

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

from api.streaming import Stream
from infra import event_loop
from infra.timeouts import REQUEST_TURN_SECONDS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from api.gunicorn_connection import Connection

#: The ASGI extension by which gunicorn passes the Connection of a request.
CONNECTION = "chatsystem.connection"

#: Threads of health and metrics, which have few clients, and the requests that may wait for one.
_OPERATIONS_THREADS, _OPERATIONS_QUEUE = 4, 64

Result = TypeVar("Result")


class Executor(Enum):
    """Where a request runs."""

    EVENT_LOOP = auto()
    REQUEST_THREADS = auto()
    OPERATIONS_THREADS = auto()


@dataclass(frozen=True)
class RequestPlan:
    """What the route determines: where the request runs, and the size limit of its body."""

    executor: Executor
    max_request_bytes: int


class RawResponse(NamedTuple):
    """A whole response as bytes, or the head of one that goes on as a stream."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    stream: Stream | None = None


class RequestRefused(Exception):
    """The request is answered without its view; `status` and `detail` give the reason."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Site(Protocol):
    """Handles all routes (api.handler)."""

    def plan(self, environ: "WSGIEnvironment") -> RequestPlan:
        """Return where the request runs, and the size limit of its body."""

    def early_response(self, environ: "WSGIEnvironment") -> RawResponse | None:
        """Return the response that the head alone determines, or None if the body is needed."""

    def response(self, environ: "WSGIEnvironment") -> RawResponse:
        """Handle the request."""

    def error_response(
        self, environ: "WSGIEnvironment", status: HTTPStatus, detail: str
    ) -> RawResponse:
        """Return a problem document without calling the view."""


class QueueFull(Exception):
    """No thread was free in time, or too many requests wait for one."""


class _Threads:
    """A thread pool for work that blocks, with a bounded queue of requests that wait for it."""

    def __init__(self, name: str, threads: int, queue: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = asyncio.Semaphore(threads)
        self._queue = queue
        self._waiting = 0

    async def run(self, work: Callable[..., Result], *args: Any) -> Result:
        """Do the work in a thread. Raises QueueFull if it was not begun, and the work's errors."""
        if self._free.locked():
            await self._wait()
        else:
            await self._free.acquire()
        future = self._pool.submit(work, *args)
        try:
            return await asyncio.wrap_future(future)
        finally:
            # The thread goes on working after its client has disconnected.
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
        # The loop may be closed: a process that ends waits for its threads after that.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._free.release)


class Application:
    """The ASGI application; at most `queue` requests wait for one of its `threads`."""

    def __init__(self, site: Site, threads: int, queue: int) -> None:
        self._site = site
        self._threads = {
            Executor.REQUEST_THREADS: _Threads("request", threads, queue),
            Executor.OPERATIONS_THREADS: _Threads(
                "operations", _OPERATIONS_THREADS, _OPERATIONS_QUEUE
            ),
        }

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        connection: Any = (scope.get("extensions") or {}).get(CONNECTION)
        environ = environment(scope)
        try:
            response = await self._response(environ, receive, connection)
        except RequestRefused as refused:
            response = self._site.error_response(environ, refused.status, refused.detail)
        except QueueFull:
            if connection:
                connection.count_refusal("queue")
            status, detail = HTTPStatus.SERVICE_UNAVAILABLE, "Too many requests are waiting."
            response = self._site.error_response(environ, status, detail)
        if response is None:
            return
        if response.stream and scope["method"] != "HEAD":
            if connection:
                await connection.stream(response.status, response.headers, response.stream)
                return
            status, detail = HTTPStatus.NOT_IMPLEMENTED, "This server cannot send streams."
            response = self._site.error_response(environ, status, detail)
        body = b"" if scope["method"] == "HEAD" else response.body
        if connection:
            await connection.respond(response.status, response.headers, body)
        else:
            await _send(send, response.status, response.headers, body)

    async def _response(
        self,
        environ: "WSGIEnvironment",
        receive: ASGIReceiveCallable,
        connection: "Connection | None",
    ) -> RawResponse | None:
        """Return the response; None for a lost client. Raises RequestRefused, QueueFull."""
        _require_well_formed(environ)
        if connection and connection.is_spare and not environ["PATH_INFO"].startswith("/health/"):
            connection.count_refusal("connections")
            raise RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections.")
        plan = self._site.plan(environ)
        if _has_body(environ):
            if not (connection and connection.is_request_whole):
                early = await self._run(plan.executor, self._site.early_response, environ)
                if early is not None:
                    return early
            body = await _read_body(receive, plan.max_request_bytes)
            if body is None:
                return None
            environ["wsgi.input"] = BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        return await self._run(plan.executor, self._site.response, environ)

    async def _run(
        self,
        executor: Executor,
        work: "Callable[[WSGIEnvironment], Result]",
        environ: "WSGIEnvironment",
    ) -> Result:
        if executor is Executor.EVENT_LOOP:
            return await event_loop.spawn(work, environ)
        return await self._threads[executor].run(work, environ)


def _require_well_formed(environ: "WSGIEnvironment") -> None:
    """Raise RequestRefused for a request that HTTP/1.1 forbids and the server lets through."""
    if environ["SERVER_PROTOCOL"] == "HTTP/1.1" and "HTTP_HOST" not in environ:
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "The request has no Host header.")
    if environ["REQUEST_METHOD"] != environ["REQUEST_METHOD"].upper():
        # Django would take it for the method in upper case, which no proxy does.
        raise RequestRefused(HTTPStatus.NOT_IMPLEMENTED, "Methods are written in upper case.")
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    if coding is not None and coding.lower() != "chunked":
        detail = "The only supported transfer coding is chunked."
        raise RequestRefused(HTTPStatus.NOT_IMPLEMENTED, detail)
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        detail = "Content-Encoding is not supported: send the body without one."
        raise RequestRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)


def _has_body(environ: "WSGIEnvironment") -> bool:
    return "HTTP_TRANSFER_ENCODING" in environ or environ.get("CONTENT_LENGTH", "0") != "0"


async def _read_body(receive: ASGIReceiveCallable, limit: int) -> bytes | None:
    """Read the body, up to just beyond the limit; None if the client disconnected."""
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
    """Send a response through a server without the extension."""
    start: Any = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})


def environment(scope: HTTPScope) -> "WSGIEnvironment":
    """Convert the head of a request to a WSGI environ (PEP 3333), which Django needs."""
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
        # A proxy may set X-Real-IP and pass a client's X_Real_IP: in WSGI the two are the same.
        if b"_" in name:
            continue
        variable = _COMMON_VARIABLES.get(name) or _variable(name)
        text, before = value.decode("latin-1"), environ.get(variable)
        comma = "; " if name == b"cookie" else ","
        environ[variable] = text if before is None else f"{before}{comma}{text}"
    # HTTP/1.1 requires the Host header in any case (RFC 9112, section 3.2).
    if host is not None and ("HTTP_HOST" in environ or scope["http_version"] == "1.0"):
        environ["HTTP_HOST"] = host
    return environ


def _split_target(target: bytes) -> tuple[bytes, str | None]:
    """Split an absolute form, whose host overrides Host (RFC 9112, section 3.2.2)."""
    if target.startswith(b"/") or not target.lower().startswith((b"http://", b"https://")):
        return target, None
    authority, slash, path = target.partition(b"://")[2].partition(b"/")
    return slash + path or b"/", authority.decode("latin-1")


def _decoded(path: bytes) -> str:
    """Decode to Latin-1 (PEP 3333). An escaped slash stays escaped: it separates no segments."""
    if b"%" not in path:
        return path.decode("latin-1")
    parts = path.replace(b"%2f", b"%2F").split(b"%2F")
    return b"%2F".join(map(unquote_to_bytes, parts)).decode("latin-1")


def _variable(header: bytes) -> str:
    name = header.decode("latin-1").upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


#: The names in nearly all requests. Others are converted each time, since clients could fill a
#: cache with any names.
_COMMON_VARIABLES = {
    name: _variable(name)
    for name in (
        *(b"host", b"user-agent", b"accept", b"accept-encoding", b"connection", b"authorization"),
        *(b"content-type", b"content-length", b"idempotency-key", b"if-match", b"if-none-match"),
        *(b"origin", b"cookie", b"x-request-id", b"x-forwarded-proto", b"x-forwarded-for"),
    )
}
