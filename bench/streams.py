"""`streams`, `listeners`, `idle`: how soon events reach open streams, and what streams cost.

Clients run in this process, on the same processors as the servers.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from statistics import quantiles
from urllib.parse import urlsplit
from uuid import uuid4

from bench import BenchError, report, texts
from bench.processes import MIB, Server, family, product_server
from bench.product import API, Chat, Client, new_chat
from bench.report import Figure, Results
from bench.wrk import checked, load, request_file

_OPEN = {"REQUIRE_KEYS": "0", "RATE_LIMIT": "", "WEB_STREAMS_PER_ADDRESS": "20000"}
_PROBES_A_SECOND = 20
_SETTLE_SECONDS = 5.0
_END_SECONDS = 60.0
_AT_ONCE = 50
_SEED = 21


def _future() -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future()


@dataclass
class Listener(asyncio.Protocol):
    """One open stream; `heard` gets each frame and the time of its arrival."""

    path: str
    heard: Callable[[bytes, float], object]
    frames: int = 0
    is_over: bool = False
    opened: "asyncio.Future[None]" = field(default_factory=_future)
    _rest: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP's are
        self.transport = transport
        transport.write(f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Take whole frames; comments and the head are none."""
        now = time.monotonic()
        *frames, self._rest = (self._rest + data).split(b"\n\n")
        for frame in frames:
            if b"\ndata: " in frame:
                self.frames += 1
                self.heard(frame, now)
            elif b"retry: " in frame and not self.opened.done():
                self.opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the server has ended the stream."""
        self.is_over = True
        if not self.opened.done():
            self.opened.set_exception(BenchError(f"{self.path} was not opened: {self._rest!r}"))


@asynccontextmanager
async def _listening(
    url: str, paths: Sequence[str], heard: Callable[[bytes, float], object]
) -> AsyncIterator[list[Listener]]:
    """Open streams while the block runs, `_AT_ONCE` at a time."""
    host, port = _place(url)
    loop = asyncio.get_running_loop()
    listeners = [Listener(path, heard) for path in paths]
    turns = asyncio.Semaphore(_AT_ONCE)

    async def begin(listener: Listener) -> None:
        async with turns:
            await loop.create_connection(lambda: listener, host, port)
            await listener.opened

    await asyncio.gather(*map(begin, listeners))
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.transport.abort()


@dataclass
class _Requests:
    """Sends one request after the other on a kept connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, method: str, path: str, document: object = None) -> bytes:
        """The body of the answer. Raises BenchError for any status of 400 and above."""
        body = json.dumps(document).encode() if document is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        self.writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
        answer = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(answer.partition("content-length: ")[2].partition("\r\n")[0])
        content = await self.reader.readexactly(length)
        if int(answer.split()[1]) >= 400:
            raise BenchError(f"{path}: {content[:300]!r}")
        return content


async def _connected(url: str) -> _Requests:
    return _Requests(*await asyncio.open_connection(*_place(url)))


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 80)


class _Probes:
    """Messages to chats at random; their latency is from the 201 to the arrival of the frame."""

    def __init__(self, url: str, chats: Sequence[Chat]) -> None:
        self.seconds: list[float] = []
        self._url, self._chats = url, chats
        self._random = Random(_SEED)
        # A poller also gets the messages of the measurement before.
        self._run = uuid4().hex
        self._accepted: dict[bytes, float] = {}
        self._arrived: dict[bytes, float] = {}
        self._sent = 0
        self._is_sent = False
        self._complete = asyncio.Event()

    def heard(self, frame: bytes, at: float) -> None:
        """A frame has arrived; only those of probes count."""
        _, found, rest = frame.partition(f'"body":"{self._run} '.encode())
        if found:
            self._arrived.setdefault(rest.partition(b'"')[0], at)
            self._note_completion()

    def _note_completion(self) -> None:
        if self._is_sent and self._accepted.keys() <= self._arrived.keys():
            self._complete.set()

    async def send(self, seconds: float, a_second: float) -> None:
        """Send probes at this rate, then wait until all have arrived."""
        requests = await _connected(self._url)
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            name = str(self._sent)
            chat = self._random.choice(self._chats)
            await requests.send("POST", chat.messages_path, {"body": f"{self._run} {name}"})
            self._accepted[name.encode()] = time.monotonic()
            self._sent += 1
            await asyncio.sleep(max(0, now + 1 / a_second - time.monotonic()))
        requests.writer.close()
        self._is_sent = True
        self._note_completion()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._complete.wait(), _END_SECONDS)

    def latencies(self) -> list[float]:
        """Milliseconds of all probes. Raises BenchError if one did not arrive."""
        missing = self._accepted.keys() - self._arrived.keys()
        if missing:
            raise BenchError(f"{len(missing)} of {len(self._accepted)} messages did not arrive")
        return [
            # A frame may overtake the answer.
            1000 * max(self._arrived[name] - accepted, 0)
            for name, accepted in self._accepted.items()
        ]


async def _poll(url: str, chat: Chat, heard: Callable[[bytes, float], object]) -> None:
    """Ask for new messages of a chat each second, as a client without streams does."""
    requests, last = await _connected(url), 0
    await asyncio.sleep(Random(chat.number).random())
    while True:
        began = time.monotonic()
        with suppress(BenchError):  # too busy: the next turn asks again
            page = json.loads(await requests.send("GET", f"{chat.messages_path}?after={last}"))
            for message in page["results"]:
                last = message["message_number"]
                heard(json.dumps(message, separators=(",", ":")).encode(), time.monotonic())
        await asyncio.sleep(max(0, began + 1 - time.monotonic()))


def streams(*, seconds: float, streams: int, connections: int) -> Results:
    """Measure the time from the 201 to the frame: idle, and at half the peak; beside polling.

    Each of the chats of one application has one stream; the load goes to one of them. Raises
    BenchError if a message did not arrive.
    """
    with product_server("streams", _OPEN) as server, request_file(texts.creates()) as requests:
        loaded = new_chat(server.url)
        with Client(server.url) as http:
            chats = [loaded]
            for _ in range(streams - 1):
                made = http.create(f"{API}/applications/{loaded.token}/chats", name="a stream")
                chats.append(Chat(loaded.token, int(made["chat_number"]), loaded.key))
        url = server.url + loaded.messages_path
        peak = checked(load(url, requests, connections=connections, seconds=5)).rate
        time.sleep(_SETTLE_SECONDS)
        half = partial(_in_thread, url, requests, connections, seconds, peak / 2)
        found = {
            "idle": asyncio.run(_streamed(server.url, chats, seconds, 2.0, None)),
            "half": asyncio.run(_streamed(server.url, chats, seconds, _PROBES_A_SECOND, half)),
            "polling": asyncio.run(_polled(server.url, chats, seconds, half)),
        }
    rows = [
        (name, str(len(times)), *(report.rounded(_percentile(times, one)) for one in (50, 99, 100)))
        for name, times in found.items()
    ]
    report.print_table((f"{streams} streams", "messages", "p50 ms", "p99 ms", "max ms"), rows)
    figures = {
        f"stream_{name}_p{one}_ms": Figure(_percentile(times, one), "ms")
        for name, times in found.items()
        for one in (50, 99)
    }
    return Results(figures, {"half_rate": peak / 2, "ms": found})


async def _streamed(
    url: str,
    chats: Sequence[Chat],
    seconds: float,
    a_second: float,
    meanwhile: Callable[[], Awaitable[object]] | None,
) -> list[float]:
    probes = _Probes(url, chats)
    async with _listening(url, [f"{chat.path}/stream" for chat in chats], probes.heard):
        work = [probes.send(seconds, a_second)]
        await asyncio.gather(*work, *([meanwhile()] if meanwhile else []))
        return probes.latencies()


async def _polled(
    url: str, chats: Sequence[Chat], seconds: float, meanwhile: Callable[[], Awaitable[object]]
) -> list[float]:
    probes = _Probes(url, chats[1:])
    pollers = [asyncio.create_task(_poll(url, chat, probes.heard)) for chat in chats[1:]]
    try:
        await asyncio.gather(probes.send(seconds, _PROBES_A_SECOND), meanwhile())
        return probes.latencies()
    finally:
        for poller in pollers:
            poller.cancel()
        await asyncio.gather(*pollers, return_exceptions=True)


async def _in_thread(
    url: str, requests: Path, connections: int, seconds: float, rate: float
) -> None:
    run = partial(load, url, requests, connections=connections, seconds=seconds, rate=rate)
    checked(await asyncio.to_thread(run))


def listeners(*, seconds: float, streams: int) -> Results:
    """Measure many listeners of one chat at ten messages a second. Raises BenchError on a loss."""
    with product_server("listeners", _OPEN) as server:
        chat = new_chat(server.url)
        used = server.processor_seconds()
        times, frames = asyncio.run(_one_chat(server.url, chat, seconds, streams))
        used = server.processor_seconds() - used
    rows = [
        ("frames a second", report.rounded(frames / seconds)),
        ("p50 ms", report.rounded(_percentile(times, 50))),
        ("p99 ms", report.rounded(_percentile(times, 99))),
        ("processors of the web server", report.rounded(used / seconds)),
    ]
    report.print_table((f"{streams} listeners of one chat", ""), rows)
    figures = {
        "listeners_frames_per_s": Figure(frames / seconds, "frames/s"),
        "listeners_p50_ms": Figure(_percentile(times, 50), "ms"),
        "listeners_p99_ms": Figure(_percentile(times, 99), "ms"),
        "listeners_web_processors": Figure(used / seconds, "processors"),
    }
    return Results(figures, {"streams": streams})


async def _one_chat(url: str, chat: Chat, seconds: float, streams: int) -> tuple[list[float], int]:
    """The latency of each frame of each listener, in milliseconds, and the number of frames."""
    arrived: list[tuple[int, float]] = []
    accepted: list[float] = []

    def heard(frame: bytes, at: float) -> None:
        _, _, rest = frame.partition(b'"body":"')
        arrived.append((int(rest.partition(b'"')[0]), at))

    async with _listening(url, [f"{chat.path}/stream"] * streams, heard) as open_ones:
        requests = await _connected(url)
        for number in range(int(10 * seconds)):
            began = time.monotonic()
            await requests.send("POST", chat.messages_path, {"body": str(number)})
            accepted.append(time.monotonic())
            await asyncio.sleep(max(0, began + 0.1 - time.monotonic()))
        await asyncio.sleep(_SETTLE_SECONDS)
        if {one.frames for one in open_ones} != {len(accepted)}:
            raise BenchError("not every listener has heard every message")
    return [1000 * max(at - accepted[number], 0) for number, at in arrived], len(arrived)


def idle(*, seconds: float, streams: int) -> Results:
    """Measure one web process with many idle streams: memory, processor time, opening, ending."""
    settings = {
        **_OPEN,
        "WEB_CONCURRENCY": "1",
        **dict.fromkeys(
            ("WEB_STREAMS", "WEB_STREAMS_PER_APPLICATION", "WEB_CONNECTIONS_PER_ADDRESS"),
            str(streams + 100),
        ),
        "WEB_CONNECTIONS": str(streams + 100),
    }
    with product_server("idle", settings) as server:
        chat = new_chat(server.url)
        figures = asyncio.run(_idle(server, chat, seconds, streams))
    rows = [(name, report.rounded(each.value), each.unit) for name, each in figures.items()]
    report.print_table((f"{streams} idle streams of one process", "", ""), rows)
    return Results(figures, {"streams": streams})


async def _idle(server: Server, chat: Chat, seconds: float, streams: int) -> dict[str, Figure]:
    before, began = server.memory(), time.monotonic()
    paths = [f"{chat.path}/stream"] * streams
    async with _listening(server.url, paths, lambda *_: None) as open_ones:
        opened = time.monotonic() - began
        held, used = server.memory() - before, server.processor_seconds()
        await asyncio.sleep(seconds)
        used = server.processor_seconds() - used
        if any(one.is_over for one in open_ones):
            raise BenchError("a stream has ended early")
        ending = time.monotonic()
        for process in family(server.pid)[:1]:
            os.kill(process.pid, signal.SIGTERM)
        while not all(one.is_over for one in open_ones):
            if time.monotonic() - ending > _END_SECONDS:
                raise BenchError("some streams did not end")
            await asyncio.sleep(0.05)
        ended = time.monotonic() - ending
    return {
        "idle_streams_mib": Figure(held / MIB, "MiB"),
        "idle_stream_kib": Figure(held / streams / 1024, "KiB"),
        "idle_streams_processors": Figure(used / seconds, "processors"),
        "idle_streams_open_s": Figure(opened, "s"),
        "idle_streams_end_s": Figure(ended, "s"),
    }


def _percentile(times: Sequence[float], percent: int) -> float:
    if percent == 100:
        return max(times)
    return quantiles(times, n=100, method="inclusive")[percent - 1]
