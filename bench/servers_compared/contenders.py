"""The servers, each by the command that starts it; the product's own comes first."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from bench.processes import bytes_held, family, free_port, listens, running
from bench.servers import Served

_APPLICATION = "bench.servers_compared.application:application"

#: Options as the product's server has them, as far as the others know them.
CONTENDERS: Mapping[str, Sequence[str]] = {
    "gunicorn": (
        *("gunicorn", "--config", "gunicorn.conf.py", "--bind", "127.0.0.1:{port}"),
        *("--workers", "{processes}", _APPLICATION),
    ),
    "granian": (
        *("granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}"),
        *("--workers", "{processes}", "--loop", "uvloop", "--http", "1", "--no-ws"),
        *("--backlog", "4096", "--workers-kill-timeout", "60", "--log-level", "warning"),
        # It closes idle connections by this, too. More than 60 s it does not take.
        *("--http1-header-read-timeout", "60000"),
        _APPLICATION,
    ),
    "uvicorn": (
        *("uvicorn", "--http", "httptools", "--host", "127.0.0.1", "--port", "{port}"),
        *("--workers", "{processes}", "--loop", "uvloop", "--ws", "none", "--lifespan", "off"),
        *("--backlog", "4096", "--timeout-keep-alive", "75", "--timeout-graceful-shutdown", "60"),
        *("--no-access-log", "--no-proxy-headers", "--no-server-header", "--log-level", "warning"),
        _APPLICATION,
    ),
}


@contextmanager
def serving(name: str, processes: int) -> Iterator[Served]:
    """This server runs with the product's settings, in so many processes."""
    port = free_port()
    command = [part.format(port=port, processes=processes) for part in CONTENDERS[name]]
    settings = {"REQUIRE_KEYS": "0", "RATE_LIMIT": ""}
    is_ready = partial(listens, port)
    with running(f"server-{name}", [sys.executable, "-m", *command], settings, is_ready) as pid:
        yield Served(f"http://127.0.0.1:{port}", pid)


def processor_seconds(served: Served) -> float:
    """What the server's processes have used since they began."""
    return sum(sum(process.cpu_times()[:2]) for process in family(served.pid))


def memory(served: Served) -> int:
    """Bytes that the server's processes hold together."""
    return sum(map(bytes_held, family(served.pid)))
