"""Real servers for tests: the embedded profile, or the local stack if it is up."""

import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import httpx
from pytest_django import Settings

from bench.processes import wait_until
from chatsystem.env import Environment
from infra.redis_client import forget_servers

DATABASE = "chatsystem.sqlite3"
ROOT = Path(__file__).resolve().parent.parent.parent
#: Servers of tests speak plain HTTP. A client made without this reads all certificates first, which
#: takes longer than most requests.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
SERVICES = ("DATABASE_URL", "REDIS_URL", "BROKER_URL", "ELASTICSEARCH_URL", "SECRET_KEY")
#: Settings of the stack's own web server (scripts/stack env), which no server of a test inherits.
OF_THE_STACK = (
    *("BASE_URL", "PORT", "DEBUG", "DEMO", "ALLOWED_HOSTS", "REQUIRE_KEYS", "RATE_LIMIT"),
    *("WEB_CONCURRENCY", "OPERATOR_NETWORKS"),
)


def eventually(
    condition: Callable[[], object], within: float, what: str, *, every: float = 0.02
) -> None:
    """Return as soon as the condition holds; fail after the given number of seconds."""
    wait_until(condition, within, what, every, AssertionError)


def free_port() -> int:
    """An unused port that the kernel gives to no other test's client."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def embedded_environment(folder: Path, **settings: str) -> dict[str, str]:
    """This process's environment without services, and with all data in the folder."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in (*SERVICES, *OF_THE_STACK)
    }
    return {**inherited, "VAR_DIR": str(folder), **settings}


def manage(
    *arguments: str, environment: Mapping[str, str], within: float = 60
) -> subprocess.CompletedProcess[str]:
    """The result of a manage.py command."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )


@contextmanager
def as_client_of_the_stack(settings: Settings) -> Iterator[None]:
    """Use the stack's services in this process, which otherwise has none (tests/conftest.py)."""
    settings.ENVIRONMENT = Environment()
    forget_servers()
    try:
        yield
    finally:
        forget_servers()


def stack_url() -> str:
    """Where the stack's web part listens; `scripts/stack env` says it."""
    return os.environ["BASE_URL"]


def migrated_database(folder: Path) -> Path:
    """An empty SQLite file with all tables, of which many can be copied."""
    environment = embedded_environment(folder)
    migrated = manage("migrate", "--noinput", environment=environment)
    assert migrated.returncode == 0, migrated.stderr
    return folder / DATABASE


class EmbeddedServer:
    """Gunicorn as `manage.py serve` starts it, on a free port, with a copy of the database.

    `manage.py serve` is one more process, which only becomes gunicorn: the tests of the start
    (tests/start) run it, the others save its second of CPU time.
    """

    COMMAND: tuple[str, ...] = ("-m", "gunicorn", "-c", "gunicorn.conf.py")

    def __init__(self, folder: Path, migrated: Path | None = None, **settings: str) -> None:
        if migrated is not None:
            shutil.copy(migrated, folder / DATABASE)
        self.port = free_port()
        self.environment = embedded_environment(folder, PORT=str(self.port), **settings)
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, *self.COMMAND],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
        )
        eventually(self._answers, 30, f"a server at {self.url}")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(40)

    def _answers(self) -> bool:
        assert self.process.poll() is None, "the server ended"
        try:
            return httpx.get(f"{self.url}/health/live", verify=NO_TLS).is_success
        except httpx.TransportError:
            return False


def open_connections(server: EmbeddedServer) -> float:
    """The server's own count of them, with the one that asks for it."""
    metrics = httpx.get(f"{server.url}/metrics", verify=NO_TLS).text
    line = next(
        one for one in metrics.splitlines() if one.startswith("chatsystem_http_connections")
    )
    return float(line.split()[-1])


class MakeRun(EmbeddedServer):
    """`make run` as a whole, which is stopped as Ctrl-C stops it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder, None, **settings)
        self.output = folder / "make-run.log"

    def __enter__(self) -> Self:
        with self.output.open("w") as log:
            self.process = subprocess.Popen(
                ["make", "run", f"PORT={self.port}"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        eventually(self._is_ready, 60, "make run says that it is ready")
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(60)
        assert "Traceback" not in self.output.read_text()
        with suppress(httpx.ConnectError):
            answer = httpx.get(f"{self.url}/health/live")
            raise AssertionError(f"something still answers: {answer}")

    def _is_ready(self) -> bool:
        return "Ctrl-C stops" in self.output.read_text()


class StackServer(EmbeddedServer):
    """One more web server on the stack's services, with settings of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder, None, **settings)
        self.environment |= {name: os.environ[name] for name in SERVICES}
