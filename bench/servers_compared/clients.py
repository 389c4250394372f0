"""Clients that a server does not like: slow ones, idle ones, one in a hurry when it is to end."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from statistics import quantiles
from urllib.parse import urlsplit

from bench.errors import BenchError

#: Where the long answer is.
STREAM_PATH = "/stream"
_BODY = b'{"body": "x"}'
_LIMIT_SECONDS = 30.0
#: One address may have so many of the idle connections, fewer than the product allows it.
_OF_ONE_ADDRESS = 1000
_AT_ONCE = 32
_SLOW_READ_BYTES, _SLOW_READS, _SLOW_READ_SECONDS = 64 * 1024, 20, 0.05

Memory = Callable[[], int]


@dataclass(frozen=True)
class Quick:
    """What a client waits that sends one request after the other."""

    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Idle:
    """Connections that are still open after all have been opened, and what one of them takes."""

    connections: int
    bytes_each: float


@dataclass(frozen=True)
class Ended:
    """Requests before and after SIGTERM; the failed ones were sent and got no whole answer."""

    answered: int
    failed: int
    seconds: float
    """Until nothing listened any more."""


@dataclass(frozen=True)
class Stream:
    """A long answer to a client that reads slowly."""

    first_byte_ms: float
    grown_bytes: int
    """By what the server's memory grew meanwhile, at the most."""


class _Connection:
    """Sends a request and reads its answer; raises OSError or EOFError where there is none."""

    def __init__(self, base_url: str, source: str = "127.0.0.1") -> None:
        place = urlsplit(base_url)
        self._place, self._source = (place.hostname, place.port), (source, 0)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> None:
        host, port = self._place
        self._streams = await asyncio.open_connection(host, port, local_addr=self._source)

    @property
    def is_open(self) -> bool:
        return self._streams is not None and not self._streams[0].at_eof()

    def send(self, data: bytes) -> None:
        if self._streams:
            self._streams[1].write(data)

    async def answer(self) -> int:
        """The status; the connection is closed where the server says so."""
        if not self._streams:
            raise EOFError
        reader, _ = self._streams
        async with asyncio.timeout(_LIMIT_SECONDS):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length or 0))
        if b"\r\nconnection: close\r\n" in head:
            self.close()
        return int(head[9:12])

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None


def _post(path: str, length: int = len(_BODY)) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


async def quick(base_url: str, path: str, *, requests: int, slow_clients: int) -> Quick:
    """One client's creates while so many others send their bodies byte by byte."""
    slow = [_Connection(base_url) for _ in range(slow_clients)]
    for connection in slow:
        await connection.open()
        connection.send(_post(path, 1000) + b" ")
    trickling = asyncio.create_task(_trickle(slow))
    try:
        await asyncio.sleep(1)
        seconds = await _in_turn(base_url, path, requests)
    finally:
        trickling.cancel()
        for connection in slow:
            connection.close()
    cut = quantiles(seconds, n=100)
    return Quick(1000 * cut[49], 1000 * cut[98])


async def _trickle(connections: list[_Connection]) -> None:
    while True:
        await asyncio.sleep(1)
        for connection in connections:
            connection.send(b" ")


async def _in_turn(base_url: str, path: str, requests: int) -> list[float]:
    connection = _Connection(base_url)
    await connection.open()
    seconds = []
    with closing(connection):
        for _ in range(requests):
            began = time.perf_counter()
            connection.send(_post(path) + _BODY)
            status = await connection.answer()
            if status != 201:
                raise BenchError(f"the quick client was answered {status}")
            seconds.append(time.perf_counter() - began)
    return seconds


async def idle(base_url: str, memory: Memory, connections: int) -> Idle:
    """Open so many connections, each of which has been answered once."""
    before = memory()
    opened = [
        _Connection(base_url, f"127.0.{1 + number // _OF_ONE_ADDRESS}.1")
        for number in range(connections)
    ]
    turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(connection: _Connection) -> None:
        async with turns:
            with suppress(OSError, EOFError):
                await connection.open()
                connection.send(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                await connection.answer()

    try:
        await asyncio.gather(*map(ask, opened))
        await asyncio.sleep(1)
        held = memory() - before
        open_now = sum(connection.is_open for connection in opened)
    finally:
        for connection in opened:
            connection.close()
    return Idle(open_now, held / max(open_now, 1))


async def ended(base_url: str, path: str, pid: int, *, clients: int, after: float) -> Ended:
    """Creates of so many clients without a pause, and SIGTERM after so many seconds."""
    counts = {"answered": 0, "failed": 0}

    async def send() -> None:
        connection = _Connection(base_url)
        with closing(connection):
            while True:
                if not connection.is_open:
                    connection.close()
                    try:
                        await connection.open()
                    except OSError:
                        return  # nothing listens any more
                try:
                    connection.send(_post(path) + _BODY)
                    is_well = await connection.answer() < 500
                except (OSError, EOFError):
                    connection.close()
                    is_well = False
                counts["answered" if is_well else "failed"] += 1

    sending = [asyncio.create_task(send()) for _ in range(clients)]
    await asyncio.sleep(after)
    began = time.perf_counter()
    os.kill(pid, signal.SIGTERM)
    await asyncio.gather(*sending)
    return Ended(**counts, seconds=time.perf_counter() - began)


def stream(base_url: str, memory: Memory) -> Stream:
    """Read the beginning of the long answer slowly, and go away."""
    before = memory()
    with _small_socket(base_url) as client:
        began = time.perf_counter()
        client.sendall(f"GET {STREAM_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        client.recv(1)
        first = time.perf_counter() - began
        most = before
        for _ in range(_SLOW_READS):
            client.recv(_SLOW_READ_BYTES)
            time.sleep(_SLOW_READ_SECONDS)
            most = max(most, memory())
    return Stream(1000 * first, most - before)


@contextmanager
def _small_socket(base_url: str) -> Iterator[socket.socket]:
    """A connection whose kernel takes little ahead of its reader."""
    place = urlsplit(base_url)
    with socket.socket() as client:
        client.settimeout(_LIMIT_SECONDS)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_READ_BYTES)
        client.connect((place.hostname, place.port))
        yield client
