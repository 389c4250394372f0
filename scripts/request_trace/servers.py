"""The servers of both profiles, started with a recorder in each process."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.request_trace.client import Client, Request
from scripts.request_trace.recorder import ROOT
from scripts.request_trace.recording import Log, TraceError, until

#: The settings that production needs. All others keep the defaults of the profile.
SERVICES = ("DATABASE_URL", "REDIS_URL", "BROKER_URL", "ELASTICSEARCH_URL", "SECRET_KEY")
#: The caller's variables that any process needs.
_PASSED = ("PATH", "HOME", "LANG", "TMPDIR")

_OPERATOR = "request-trace"
_COMMAND_SECONDS = 120
_END_SECONDS = 60

_WORKER = (
    *("celery", "--quiet", "-A", "scripts.request_trace.worker", "worker"),
    *("--hostname", "request-trace@%h", "--queues", "chats,messages"),
    *("--without-gossip", "--without-mingle"),
)


@dataclass(frozen=True)
class Servers:
    """Running servers. In the embedded profile there is no worker, and the key is empty."""

    port: int
    web: Log
    worker: Log | None
    operator_key: str


def require_services() -> None:
    """Raise TraceError if the environment lacks a service of production."""
    missing = [name for name in SERVICES if not os.environ.get(name)]
    if missing:
        raise TraceError(
            f"the environment has no {', '.join(missing)}: run `scripts/stack up`, then "
            '`set -a; eval "$(scripts/stack env)"; set +a`'
        )


@contextmanager
def embedded(folder: Path) -> Iterator[Servers]:
    """A web process with a database of its own in the folder."""
    environment = _environment(folder)
    _manage(environment, "migrate", "--noinput", "--verbosity", "0")
    with _web(environment, folder) as (port, web):
        yield Servers(port, web, worker=None, operator_key="")


@contextmanager
def production(folder: Path) -> Iterator[Servers]:
    """A web process and a worker, on the services of the environment."""
    environment = _environment(folder) | {name: os.environ[name] for name in SERVICES}
    key = _manage(environment, "operator_key", _OPERATOR).split()[-1]
    try:
        with (
            _web(environment, folder) as (port, web),
            _running("worker", _WORKER, environment, folder) as worker,
        ):
            worker.wait_for_worker()
            yield Servers(port, web, worker, key)
    finally:
        _manage(environment, "operator_key", _OPERATOR, "--revoke")


def _environment(folder: Path) -> dict[str, str]:
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    # With one web process, all requests run in the process that is recorded and warmed up.
    return passed | {"VAR_DIR": str(folder), "WEB_CONCURRENCY": "1"}


def _manage(environment: Mapping[str, str], *arguments: str) -> str:
    """Run the command and return its output. Raises TraceError if it fails."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_COMMAND_SECONDS,
        check=False,
    )
    if done.returncode:
        raise TraceError(f"manage.py {arguments[0]} failed: {done.stderr}")
    return done.stdout


@contextmanager
def _web(environment: Mapping[str, str], folder: Path) -> Iterator[tuple[int, Log]]:
    """Yield the port and the log of calls. `manage.py serve` runs the same command."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = ("gunicorn", "-c", "gunicorn.conf.py", "--bind", f"127.0.0.1:{port}")
    with _running("web", command, environment, folder) as log:
        until(lambda: _answers(port), "the web server answers")
        yield port, log


def _answers(port: int) -> bool:
    try:
        with Client(port) as client:
            client.send(Request("GET", "/health/live"))
    except OSError:
        return False
    return True


@contextmanager
def _running(
    name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path
) -> Iterator[Log]:
    """Run the command under the recorder, and end it afterwards."""
    calls, output = folder / f"{name}.calls", folder / f"{name}.log"
    calls.touch()
    recorder = [sys.executable, "-m", "scripts.request_trace.recorder", str(calls)]
    with output.open("wb") as log:
        process = subprocess.Popen(
            [*recorder, *command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield Log(calls)
    except TraceError as error:
        raise TraceError(f"{error}\nOutput of the {name} process:\n{output.read_text()}") from error
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
