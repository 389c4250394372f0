"""This project's gunicorn worker without a process: its connection class on a loop of the test.

The tests with it show after an upgrade of gunicorn whether its private API still works as used
here.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, TypeAlias

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.config import Config
from gunicorn.glogging import Logger

from api.asgi import Application, Executor, RawResponse, RequestPlan
from api.connections import EDGE_REFUSED, Connections
from api.gunicorn_connection import Connection
from api.problems import bare_problem
from infra.event_loop import TimeoutQueue

LIMIT_BYTES = 1024 * 1024
FATAL = b"no"
WHOLE = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Talk = Callable[[Reader, Writer], Awaitable[bytes]]


class Site:
    """Returns the body, the method and the headers of each request; refuses /refused."""

    def __init__(self) -> None:
        self.answered = 0

    def plan(self, environ: Any) -> RequestPlan:
        is_slow = "slow" in environ["PATH_INFO"]
        return RequestPlan(Executor.REQUEST_THREADS if is_slow else Executor.EVENT_LOOP, 400_000)

    def early_response(self, environ: Any) -> RawResponse | None:
        if environ["PATH_INFO"] == "/refused":
            return self.error_response(environ, HTTPStatus.NOT_FOUND, "refused")
        return None

    def response(self, environ: Any) -> RawResponse:
        self.answered += 1
        content = environ["wsgi.input"].read()
        if content == FATAL:
            raise ValueError(content)
        seen = ",".join(sorted(name for name in environ if name.startswith("HTTP_")))
        headers = [(b"method", environ["REQUEST_METHOD"].encode()), (b"seen", seen.encode())]
        if content:
            headers.append((b"content-length", str(len(content)).encode()))
        return RawResponse(200 if content else 204, headers, content)

    def error_response(self, environ: Any, status: HTTPStatus, detail: str) -> RawResponse:
        body = detail.encode()
        return RawResponse(status, [(b"content-length", str(len(body)).encode())], body)


def worker(limit: int = 100, per_address: int = 100, seconds: float = 30) -> Any:
    """Build the part of a worker that a connection uses."""
    config = Config()
    for name, value in (("http_parser", "fast"), ("permit_unconventional_http_method", True)):
        config.set(name, value)
    config.set("keepalive", 5)
    ASGIProtocol._check_h1c_protocol_available()
    site = Site()
    return SimpleNamespace(
        cfg=config,
        log=Logger(config),
        asgi=Application(site, threads=1, queue=2),
        site=site,
        state={},
        alive=True,
        nr=0,
        max_requests=1_000_000,
        nr_conns=0,
        bare_problem=bare_problem,
        connections=Connections(limit, per_address, LIMIT_BYTES),
        arrivals=TimeoutQueue(seconds),
        lingers=TimeoutQueue(seconds),
    )


def converse(talk: Talk, served_by: Any = None) -> bytes:
    """Return all that the server has sent when the talk is over."""
    serving = served_by or worker()

    async def run() -> bytes:
        loop = serving.loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(serving), "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        writers = []

        async def connect() -> tuple[Reader, Writer]:
            reader, writer = await asyncio.open_connection(*address, limit=1024 * 1024)
            writers.append(writer)
            return reader, writer

        serving.connect = connect
        try:
            async with asyncio.timeout(20):
                return await talk(*await connect())
        finally:
            for writer in writers:
                writer.close()
            server.close()
            await asyncio.gather(*(w.wait_closed() for w in writers), return_exceptions=True)
            await until(lambda: not serving.nr_conns)
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

    return asyncio.run(run())


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until the condition holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - nothing here tells when it does
            await asyncio.sleep(0)


def sends(*parts: bytes, ends: bool = False) -> Talk:
    """Send these parts, and then nothing until the server closes the connection."""

    async def talk(reader: Reader, writer: Writer) -> bytes:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if ends:
            writer.write_eof()
        return await reader.read()

    return talk


def counted(bound: str) -> float:
    """Return how many requests were refused at this bound so far."""
    return sum(
        sample.value
        for metric in EDGE_REFUSED.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.labels["bound"] == bound
    )


def statuses(answers: bytes) -> list[int]:
    """Return the statuses of the responses in these bytes."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]
