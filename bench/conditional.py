"""Load of reads that may be answered 304, by a client of its own.

A 304 may name the length of the body that it does not have (RFC 9110, section 8.6), and the parser
of wrk waits for that body. This client costs more than wrk, so its loads are compared with each
other alone.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import cast
from urllib.parse import urlsplit

import psutil
import uvloop

from bench.rounds import Target
from bench.wrk import Load, machine_use

_HEAD_END, _LENGTH = b"\r\n\r\n", b"\r\ncontent-length: "
_NOT_MODIFIED, _REFUSED = 304, 400
_ANSWER_SECONDS = 30.0


@dataclass
class _Run:
    """GETs that connections send in turn until the end, and what came of them."""

    requests: Sequence[bytes]
    end: float
    turn: int = 0
    refused: int = 0
    broken: int = 0
    seconds: list[float] = field(default_factory=list)


class _Connection(asyncio.Protocol):
    """Sends a request whenever the one before is answered."""

    def __init__(self, run: _Run) -> None:
        self._run, self._received = run, b""
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        # uvloop's transports have the methods of this class, and not the class.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        run, self._sent = self._run, time.perf_counter()
        if self._sent >= run.end:
            self._transport.close()
            return
        run.turn += 1
        self._transport.write(run.requests[run.turn % len(run.requests)])

    def data_received(self, data: bytes) -> None:
        """Count the answer when it is complete."""
        self._received += data
        head, found, body = self._received.partition(_HEAD_END)
        if not found:
            return
        status = int(head[9:12])
        if status != _NOT_MODIFIED:
            length = head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0]
            if len(body) < int(length or 0):
                return
        self._run.seconds.append(time.perf_counter() - self._sent)
        self._run.refused += status >= _REFUSED
        self._received = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a connection that the server closed before the end."""
        self._run.broken += time.perf_counter() < self._run.end
        self.ended.set_result(None)


@dataclass
class Reader(Target):
    """A target of GETs that gets its load from this client, as fast as it answers."""

    def send_without_waiting(self, seconds: float, rate: float = 0, connections: int = 0) -> Load:
        """Send load. Raises NotImplementedError for a rate."""
        if rate:
            raise NotImplementedError
        host = urlsplit(self.url).netloc
        lines = self.requests.read_text(encoding="utf-8").splitlines()
        requests = [_encoded(line, host) for line in lines]
        before = psutil.cpu_times()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            run = _Run(requests, time.perf_counter() + seconds)
            runner.run(_send_all(self.url, run, connections or self.connections))
        stolen, busy = machine_use(before)
        percentiles = quantiles([1000 * one for one in run.seconds], n=100, method="inclusive")
        return Load(
            requests=len(run.seconds),
            seconds=seconds,
            refused=run.refused,
            broken=run.broken,
            p50_ms=percentiles[49],
            p99_ms=percentiles[98],
            stolen=stolen,
            busy_seconds=busy,
        )


async def _send_all(url: str, run: _Run, connections: int) -> None:
    """Send the requests of the run over this number of connections until its end.

    Raises TimeoutError when a request is not answered long after that.
    """
    place, loop = urlsplit(url), asyncio.get_running_loop()
    made = [
        await loop.create_connection(
            lambda: _Connection(run), place.hostname or "", place.port or 80
        )
        for _ in range(connections)
    ]
    async with asyncio.timeout(run.end - time.perf_counter() + _ANSWER_SECONDS):
        await asyncio.gather(*(connection.ended for _, connection in made))


def _encoded(line: str, host: str) -> bytes:
    """The bytes of a request, from a line of the file of a load."""
    method, path, header, _ = line.split("\t")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *([header] if header else []), "", ""]
    return "\r\n".join(lines).encode()
