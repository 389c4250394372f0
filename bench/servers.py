"""The servers that the measurements start themselves, of a Django project of theirs.

Gunicorn, or the product's own. A project is a package with `settings`.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from bench.processes import free_port, listens, running

PROCESSES = 2


@contextmanager
def gunicorn(project: str, *, threads: int) -> Iterator[str]:
    """The URL where it serves the project; so many threads in each of its processes."""
    options = ("--config", "python:bench.gunicorn_settings", "--workers", str(PROCESSES))
    port = free_port()
    place = ("--threads", str(threads), "--bind", f"127.0.0.1:{port}")
    with _serving(project, port, ["gunicorn", *options, *place, "bench.wsgi"], {}) as url:
        yield url


@contextmanager
def same_server(project: str, *, threads: int = 0) -> Iterator[str]:
    """The same by the product's own server; without threads the views run on its event loop."""
    port = free_port()
    command = ["bench.same_server", str(port), str(PROCESSES)]
    with _serving(project, port, command, {"BENCH_THREADS": str(threads)}) as url:
        yield url


def environment(project: str) -> Mapping[str, str]:
    """In which a process of this project runs."""
    return {"DJANGO_SETTINGS_MODULE": f"{project}.settings"}


class Served(NamedTuple):
    """Where a server is, and the process that began it."""

    url: str
    pid: int


@contextmanager
def product_server(log: str, settings: Mapping[str, str]) -> Iterator[Served]:
    """The product's web server with these settings, beside that of the stack."""
    port = free_port()
    command = [sys.executable, "manage.py", "serve", "--port", str(port)]
    with running(f"{log}-{port}", command, settings, partial(listens, port)) as pid:
        yield Served(f"http://127.0.0.1:{port}", pid)


@contextmanager
def _serving(
    project: str, port: int, arguments: Sequence[str], settings: Mapping[str, str]
) -> Iterator[str]:
    command = [sys.executable, "-m", *arguments]
    log = f"{project.rpartition('.')[2]}-web"
    with running(log, command, {**environment(project), **settings}, partial(listens, port)):
        yield f"http://127.0.0.1:{port}"
