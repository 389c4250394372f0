"""What the web processes' Python does, seen by py-spy while they are under load.

Only the thread that holds the interpreter's lock is looked at: what waits, and what the server does
in native code, is left out. A sample counts for the innermost function that belongs to a step.
"""

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from bench.errors import BenchError

#: In a path of this system's or of a library: what that is for. The first that fits counts.
STEPS = (
    ("operations/accept/envelope", "task message"),
    ("operations/accept/delivery", "queue"),
    ("operations/broker/", "queue"),
    ("kombu/", "queue"),
    ("amqp/", "queue"),
    ("celery/", "queue"),
    ("operations/numbering/", "numbers and pending rows in Redis"),
    ("operations/redis/", "numbers and pending rows in Redis"),
    ("redis/", "numbers and pending rows in Redis"),
    ("MySQLdb/", "database"),
    ("django/db/", "database"),
    ("operations/accept/group", "group commit"),
    ("operations/accept/tickets", "group commit"),
    ("operations/suspending", "server"),
    ("operations/deadlines", "server"),
    ("asyncio/", "server"),
    ("operations/accept/", "rows of the group"),
    ("operations/rows", "rows of the group"),
    ("operations/http/", "view, validation, answer"),
    ("messages_app/", "view, validation, answer"),
    ("applications/", "view, validation, answer"),
    ("chats/", "view, validation, answer"),
    ("views.py", "view, validation, answer"),
    ("rest_framework/", "Django REST framework"),
    ("api/handler", "handler and middleware"),
    ("django/", "handler and middleware"),
    ("asgiref/", "handler and middleware"),
    ("whitenoise/", "handler and middleware"),
    ("api/", "server"),
    ("gunicorn/", "server"),
    ("concurrent/futures", "server"),
)
OTHER = "other"
_RATE = 100
_PY_SPY = Path(sys.executable).with_name("py-spy")


def by_step(address: str, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    """The share of each step, and the functions that take most themselves.

    Raises BenchError where processes may not be looked into.
    """
    stacks = list(_record(_listener(address), seconds))
    total = sum(count for _, count in stacks)
    if not total:
        raise BenchError("py-spy saw nothing")
    steps, functions = Counter[str](), Counter[str]()
    for frames, count in stacks:
        steps[step_of(frames)] += count
        functions[frames[-1]] += count
    return _shares(steps.most_common(), total), _shares(functions.most_common(15), total)


def step_of(frames: list[str]) -> str:
    """The step of a stack, outermost function first; each frame is "function (path:line)"."""
    for frame in reversed(frames):
        for part, step in STEPS:
            if part in frame:
                return step
    return OTHER


def _shares(counted: Iterable[tuple[str, int]], total: int) -> dict[str, float]:
    return {name: count / total for name, count in counted}


def _listener(address: str) -> int:
    """The process that serves there: the one that listens, or the parent of all that do."""
    port = urlsplit(address).port
    listening = {
        found.pid
        for found in psutil.net_connections("tcp")
        if found.status == psutil.CONN_LISTEN and found.laddr[1:] == (port,) and found.pid
    }
    if not listening:
        raise BenchError(f"nobody is seen to listen on port {port}")
    parents = {psutil.Process(pid).ppid() for pid in listening}
    return min(listening if listening & parents or len(parents) > 1 else parents)


def _record(pid: int, seconds: float) -> Iterator[tuple[list[str], int]]:
    """Stacks, and how often each was seen."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "stacks"
        command = [str(_PY_SPY), "record", "--pid", str(pid), "--subprocesses", "--format", "raw"]
        command += ["--rate", str(_RATE), "--duration", f"{seconds:.0f}", "--gil"]
        result = subprocess.run(
            [*command, "--output", str(output)],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + 60,
        )
        if not output.exists():
            raise BenchError(f"py-spy needs root, or ptrace_scope 0: {result.stderr.strip()}")
        for line in output.read_text().splitlines():
            stack, _, count = line.rpartition(" ")
            _, *frames = stack.split(";")  # the first is the process
            yield frames or [OTHER], int(count)
