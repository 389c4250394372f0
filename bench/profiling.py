"""`profile`: where the processor time of an accepted message goes.

It is measured for each part of the stack, until all accepted messages are stored and indexed. Then
py-spy samples the steps of the web processes. It samples only the thread that holds the
interpreter's lock, so waiting and native code of the server are left out. A sample counts for the
innermost function that belongs to this project or to a library below.
"""

import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import BenchError
from bench.accepting import this_system
from bench.processes import ROOT, processor_seconds
from bench.product import Database, await_indexed
from bench.report import Figure, Results, print_table
from bench.rounds import Target
from bench.services import parts, services

#: Steps by the beginning of a path; this project's own files count for their folder.
LIBRARIES: Mapping[str, str] = {
    "kombu/": "RabbitMQ client",
    "amqp/": "RabbitMQ client",
    "celery/": "RabbitMQ client",
    "redis/": "Redis client",
    "MySQLdb/": "database client",
    "django/db/": "database client",
    "rest_framework/": "Django REST framework",
    "django/": "Django",
    "asgiref/": "Django",
    "gunicorn/": "HTTP server",
    "asyncio/": "HTTP server",
    "concurrent/futures/": "HTTP server",
}
OTHER = "other"
_FUNCTIONS = 15
_SAMPLES_PER_SECOND = 100
#: The load ends after sampling.
_MARGIN_SECONDS = 2.0
_PY_SPY = str(Path(sys.executable).with_name("py-spy"))

Shares = dict[str, float]


def profile(*, seconds: float, connections: int) -> Results:
    """Measure and report. Raises BenchError where py-spy may not look into processes."""
    database = Database(services().database_url)
    with this_system(database, connections) as (target, _):
        by_part = _by_part(target, database, seconds)
        steps, functions = _sampled(target, seconds)
    print_table(("part", "cpu ms a message"), [(name, f"{ms:.3f}") for name, ms in by_part.items()])
    print_table(("step of web", "share"), [(name, f"{share:.1%}") for name, share in steps.items()])
    figures = {f"cpu_{part}_ms": Figure(ms, "ms/message") for part, ms in by_part.items()}
    figures["cpu_ms"] = Figure(sum(by_part.values()), "ms/message")
    return Results(figures, {"steps": steps, "functions": functions})


def _by_part(target: Target, database: Database, seconds: float) -> dict[str, float]:
    """Milliseconds a message, by part of the stack; `wrk` is the load itself."""
    pids = {name: part.pids for name, part in parts().items()}
    before = {name: processor_seconds(each) for name, each in pids.items()}
    wrk, rows = _seconds_of_children(), target.rows()
    seen = target.send_without_waiting(seconds)
    wrk = _seconds_of_children() - wrk
    target.settle(rows + seen.answered)
    await_indexed(database)
    used = {name: processor_seconds(each) - before[name] for name, each in pids.items()}
    return {name: 1000 * each / seen.answered for name, each in {**used, "wrk": wrk}.items()}


def _seconds_of_children() -> float:
    """Processor time of child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _sampled(target: Target, seconds: float) -> tuple[Shares, Shares]:
    """Shares of the steps, and of the functions that take most themselves, under load."""
    steps, functions = Counter[str](), Counter[str]()
    web, *_ = parts()["web"].pids
    with ThreadPoolExecutor(1) as pool:
        sampling = pool.submit(_stacks, web, seconds)
        target.send(seconds + _MARGIN_SECONDS)
        for frames, count in sampling.result():
            steps[step_of(frames)] += count
            functions[frames[-1]] += count
    total = steps.total()
    if not total:
        raise BenchError("py-spy saw nothing")
    most = steps.most_common(), functions.most_common(_FUNCTIONS)
    by_step, by_function = ({name: count / total for name, count in each} for each in most)
    return by_step, by_function


def step_of(frames: Sequence[str]) -> str:
    """The step of a stack, outermost function first; each frame is "function (path:line)"."""
    for frame in reversed(frames):
        path = frame.rpartition("(")[2]
        for beginning, step in LIBRARIES.items():
            if path.startswith(beginning):
                return step
        top, _, below = path.partition("/")
        if below and (ROOT / top / "__init__.py").exists():
            return path.rpartition("/")[0]
    return OTHER


def _stacks(pid: int, seconds: float) -> list[tuple[list[str], int]]:
    """Sampled stacks of the process and its children, and how often each was seen."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "stacks"
        command = [_PY_SPY, "record", "--pid", str(pid), "--subprocesses", "--gil"]
        command += ["--format", "raw", "--output", str(output)]
        command += ["--rate", str(_SAMPLES_PER_SECOND), "--duration", f"{seconds:.0f}"]
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=seconds + 60
        )
        if not output.exists():
            raise BenchError(f"py-spy needs root, or ptrace_scope 0: {result.stderr.strip()}")
        lines = [line.rpartition(" ") for line in output.read_text().splitlines()]
    # The first of a stack names the process.
    return [(stack.split(";")[1:] or [OTHER], int(count)) for stack, _, count in lines]
