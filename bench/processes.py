"""Children of the measurement: started, waited for, and ended by it whatever happens.

Each is in a session of its own, so that Ctrl-C reaches this process alone, which then ends its
children in order. What they print goes to bench/results/logs.
"""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.errors import BenchError
from bench.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
_START_SECONDS = 30.0
_END_SECONDS = 30.0


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    is_ready: Callable[[], bool],
) -> Iterator[int]:
    """It runs and is ready: the process's id. Raises BenchError when it does not get there."""
    log = RESULTS / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(
            lambda: _lives(child, log) and is_ready(), _START_SECONDS, f"{name} is ready, see {log}"
        )
        yield child.pid
    finally:
        _end(child)


def family(pid: int) -> list[psutil.Process]:
    """The process and all that it has started; empty where it has ended."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def bytes_held(process: psutil.Process) -> int:
    """Its memory; pages that several share count once among them. 0 where it has ended."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _lives(child: subprocess.Popen[bytes], log: Path) -> bool:
    if child.poll() is not None:
        raise BenchError(f"it ended with status {child.returncode} at its start, see {log}")
    return True


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        # Not reaped yet, so the group is still ours and nobody else's.
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
