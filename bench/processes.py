"""Processes that a measurement starts, and what processes of the machine use.

Each child has a session of its own: Ctrl-C reaches only the measurement, which then ends its
children in order, also after a failure. Their output goes to bench/results/logs.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from bench import BenchError

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
MIB = 2**20
_START_SECONDS = 60.0
_END_SECONDS = 30.0


def wait_until(
    condition: Callable[[], object],
    within: float,
    what: str,
    every: float = 0.1,
    error: type[Exception] = BenchError,
) -> None:
    """Return when the condition is true; raise `error` if it is not within `within` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise error(f"not within {within:g} s: {what}")
        time.sleep(every)


@contextmanager
def running(
    name: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    is_ready: Callable[[], bool] = lambda: True,
) -> Iterator[int]:
    """Run Python with these arguments while the block runs; yields the process id.

    Raises BenchError when the process ends early or is not ready within a minute.
    """
    log = RESULTS / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def has_started() -> bool:
        if child.poll() is not None:
            raise BenchError(f"{name} ended with status {child.returncode} at its start, see {log}")
        return is_ready()

    try:
        wait_until(has_started, _START_SECONDS, f"{name} is ready, see {log}")
        yield child.pid
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        # The child is not reaped yet, so no other process can have its group's id.
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


@dataclass(frozen=True)
class Server:
    """An HTTP server that a measurement started: its URL, and the id of its first process."""

    url: str
    pid: int

    def processor_seconds(self) -> float:
        """Processor time that its processes have used since their start."""
        return processor_seconds(process.pid for process in family(self.pid))

    def memory(self) -> int:
        """Bytes that its processes hold together."""
        return sum(map(bytes_held, family(self.pid)))


@contextmanager
def serving(
    name: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> Iterator[Server]:
    """Run a server while the block runs; `{port}` in its arguments becomes a free port."""
    port = _free_port()
    filled_in = [argument.replace("{port}", str(port)) for argument in arguments]
    is_ready = partial(_answers, port)
    with running(f"{name}-{port}", filled_in, environment, is_ready) as pid:
        yield Server(f"http://127.0.0.1:{port}", pid)


@contextmanager
def product_server(name: str, settings: Mapping[str, str]) -> Iterator[Server]:
    """Run a web server of the product with these settings, beside the stack's own."""
    with serving(name, ("manage.py", "serve", "--port", "{port}"), settings) as server:
        yield server


def family(pid: int) -> list[psutil.Process]:
    """The process and its descendants; empty if it has ended."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def bytes_held(process: psutil.Process) -> int:
    """Proportional set size: a page that n processes share counts 1/n. 0 if it has ended."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0


def processor_seconds(pids: Iterable[int]) -> float:
    """Processor time that these processes have used since their start."""
    used = 0.0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            used += times.user + times.system
    return used


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    """Whether a server answers there; its kernel accepts connections before it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/health/live")
        return bool(connection.getresponse().status)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
