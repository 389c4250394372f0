"""Clients try to exhaust the web process's memory, which stays bounded.

Meanwhile /health/live responds before the process has done a second of other work, every time.
"""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.live.servers import NO_TLS, EmbeddedServer, eventually, open_connections
from tests.live.wire import Wire

pytestmark = pytest.mark.costly

MIB = 1024 * 1024
#: WEB_REQUEST_BYTES, of which one address may hold the half.
HELD_MIB = 64
CONNECTIONS = 40
LIVE_S = 1.0  # of CPU time, since a busy machine takes longer


@pytest.fixture(scope="class")
def server(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[EmbeddedServer]:
    """One process for the tests of a class."""
    with EmbeddedServer(tmp_path_factory.mktemp("memory"), migrated) as server:
        yield server


@pytest.fixture(scope="class")
def bulk(server: EmbeddedServer) -> str:
    """The path of the bulk route of a chat that exists."""
    with httpx.Client(base_url=f"{server.url}/api/v1", verify=NO_TLS) as http:
        token = http.post("/applications", json={"name": "memory"}).json()["token"]
        http.post(f"/applications/{token}/chats", json={"name": "memory"})
        path = f"/api/v1/applications/{token}/chats/1/messages"
        assert http.post(f"{server.url}{path}", json={"body": "x"}).status_code == 201
    return f"{path}/bulk"


class Memory:
    """The resident memory of the web process, in MiB, and its work until /health/live answered."""

    def __init__(self, server: EmbeddedServer, before: float | None = None) -> None:
        self.url = server.url
        (self._process,) = [
            child
            for child in psutil.Process(server.process.pid).children()
            if child.net_connections("tcp")
        ]
        self.before = before or self.now()
        self.most = self.before
        self.slowest_live = 0.0

    def now(self) -> float:
        """What it has now."""
        memory: float = self._process.memory_info().rss / MIB
        return memory

    def _worked(self) -> float:
        """The CPU time of the process, in seconds."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    @property
    def growth(self) -> float:
        """How much more it had at its most."""
        return self.most - self.before

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at it, and ask for health, all the time."""
        ended = threading.Event()
        failures: list[BaseException] = []

        def watch() -> None:
            try:
                while not ended.wait(0.05):
                    self.look()
            except BaseException as error:  # noqa: BLE001 - told to the test below
                failures.append(error)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
        self.look()
        assert not failures, failures

    def look(self) -> None:
        """Once."""
        began = self._worked()
        with Wire(self.url, within=30) as wire:
            wire.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = wire.answer()
        assert answer is not None
        assert answer.status == 200
        self.slowest_live = max(self.slowest_live, self._worked() - began)
        self.most = max(self.most, self.now())


@contextmanager
def connections(url: str, count: int) -> Iterator[list[Wire]]:
    """So many, all open at once."""
    with ExitStack() as stack:
        yield [stack.enter_context(Wire(url)) for _ in range(count)]


def in_threads(work: Callable[[Wire], object], wires: Sequence[Wire]) -> None:
    """Work for all connections at once."""
    threads = [threading.Thread(target=work, args=[wire]) for wire in wires]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def judge(memory: Memory, bound: float) -> None:
    """The bound is in MiB."""
    figures = f"{memory.before:.0f} MiB, at most {memory.most:.0f}, now {memory.now():.0f}"
    print(f"{figures}; /health/live waited for {memory.slowest_live * 1000:.0f} ms of work at most")  # noqa: T201
    assert memory.growth < bound, figures
    assert memory.slowest_live < LIVE_S


def refused(wires: Sequence[Wire]) -> int:
    """How many have an answer, or are closed."""
    return sum(wire.says_something(0) for wire in wires)


class TestWhatIsHeld:
    """Clients make one process hold all that they can; all growth counts from its start."""

    @pytest.fixture(scope="class")
    @classmethod
    def at_the_start(cls, server: EmbeddedServer, bulk: str) -> float:  # noqa: ARG003 - made before
        """The memory of the process before anything is asked of it."""
        return Memory(server).before

    @pytest.mark.parametrize("is_known", [True, False], ids=["bulk", "unknown"])
    def test_nearly_complete_bodies_of_4_mib(
        self, server: EmbeddedServer, bulk: str, at_the_start: float, is_known: bool
    ) -> None:
        """One address holds half of the bytes at most; a body is there twice while it is joined."""
        path = bulk if is_known else "/api/v1/nothing"
        memory = Memory(server, at_the_start)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        data = f"{head}Content-Length: {4 * MIB}\r\n\r\n".encode() + b" " * (4 * MIB - 1)

        with memory.watched(), connections(server.url, CONNECTIONS) as wires:
            in_threads(lambda wire: wire.send(data), wires)
            eventually(lambda: refused(wires) >= (32 if is_known else 40), 30, "most are refused")

        judge(memory, 1.5 * HELD_MIB)

    def test_pipelined_requests(self, server: EmbeddedServer, at_the_start: float) -> None:
        memory = Memory(server, at_the_start)
        ask = b"GET /api/v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
        data = ask * (252 * 1024 // len(ask))

        with memory.watched(), connections(server.url, CONNECTIONS) as wires:
            in_threads(lambda wire: wire.send(data), wires)
            # There are 200,000 of them. Their clients read some of the answers and go.
            in_threads(lambda wire: [wire.answer() for _ in range(50)], wires)

        judge(memory, HELD_MIB)

    def test_half_sent_heads(self, server: EmbeddedServer, at_the_start: float) -> None:
        """Again and again: what a client has sent must not outlive its connection."""
        memory = Memory(server, at_the_start)
        head = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
        head += b"".join(b"X-%d: %s\r\n" % (number, b"x" * 8000) for number in range(90))

        with memory.watched():
            for _ in range(5):
                with connections(server.url, 200) as wires:
                    in_threads(lambda wire: wire.send(head), wires)

        judge(memory, 1.5 * HELD_MIB)


def _names() -> Iterator[bytes]:
    for number in range(1100):
        yield b"GET /api/v1/nothing HTTP/1.1\r\nHost: localhost\r\n%s: x\r\n\r\n" % (
            b"X-%d-" % number + b"n" * 8000
        )


def _paths() -> Iterator[bytes]:
    for number in range(2100):
        path = b"/api/v1/%d/" % number + b"p" * 8000
        yield b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path


def _hosts() -> Iterator[bytes]:
    for number in range(1050):
        spelling = "".join(
            letter.upper() if number >> place & 1 else letter
            for place, letter in enumerate("localhost")
        )
        host = f"{spelling}:{number + 1}"
        yield f"GET /api/v1/nothing HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def ask(wire: Wire, data: bytes) -> None:
    """Send a request, and take its answer."""
    wire.send(data)
    answer = wire.answer()
    assert answer is not None
    assert re.match("40[04]", str(answer.status))


class TestWhatIsRemembered:
    """What a process needs of its first requests is kept, and nothing of those after them."""

    @pytest.mark.parametrize("requests", [_names, _paths, _hosts], ids=["names", "paths", "hosts"])
    def test_what_is_never_the_same_is_not_remembered(
        self, server: EmbeddedServer, requests: Callable[[], Iterator[bytes]]
    ) -> None:
        with Wire(server.url) as wire:
            for data in list(requests())[:50]:  # what the first ones need is kept
                ask(wire, data)
        memory = Memory(server)

        with memory.watched(), Wire(server.url) as wire:
            for data in requests():
                ask(wire, data)

        judge(memory, 8)

    def test_connections_that_come_and_go_leave_nothing(self, server: EmbeddedServer) -> None:
        request = next(_hosts())
        for _ in range(100):
            with Wire(server.url) as wire:
                ask(wire, request)
        memory = Memory(server)

        with memory.watched():
            for _ in range(3000):
                with Wire(server.url) as wire:
                    ask(wire, request)

        judge(memory, 8)


class TestIdleConnections:
    """A server of few connections, of which nearly all are idle."""

    @pytest.fixture(scope="class")
    @classmethod
    def server(
        cls, tmp_path_factory: pytest.TempPathFactory, migrated: Path
    ) -> Iterator[EmbeddedServer]:
        """One that allows 100 connections, 50 of them from one address."""
        bounds = {"WEB_CONNECTIONS": "100", "WEB_CONNECTIONS_PER_ADDRESS": "50"}
        folder = tmp_path_factory.mktemp("idle")
        with EmbeddedServer(folder, migrated, **bounds) as server:
            yield server

    @pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2"])
    @pytest.mark.parametrize("addresses", [1, 4])
    def test_idle_connections_keep_nobody_out(
        self, server: EmbeddedServer, source: str, addresses: int
    ) -> None:
        eventually(lambda: open_connections(server) <= 1, 20, "the last test's are closed")
        ask_for = "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with ExitStack() as stack:
            idle = [
                stack.enter_context(Wire(server.url, source=f"127.0.0.{1 + number % addresses}"))
                for number in range(300)
            ]
            for _ in range(20):
                with Wire(server.url, source=source) as wire:
                    for path in ("/health/live", "/api/v1/applications"):
                        wire.send(ask_for.format(path).encode())
                        answer = wire.answer()
                        assert answer is not None
                        assert answer.status == 200
            # Those that had been idle longest gave way, and no more than that.
            left = 100 if addresses > 1 else 50
            eventually(lambda: refused(idle) >= 300 - left, 10, "old connections are closed")
            assert refused(idle) <= 300 - left + 1
            assert not idle[-1].says_something(0)
