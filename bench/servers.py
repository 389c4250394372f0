"""The servers that the measurements start themselves, of a Django project of theirs.

Gunicorn with threads, or as the product has it. A project is a package with `settings`.
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
    command = _gunicorn("bench.threaded_server", "bench.wsgi")
    with _serving(project, [*command, "--threads", str(threads)], {}) as url:
        yield url


@contextmanager
def same_server(project: str, *, threads: int = 0) -> Iterator[str]:
    """The same as the product is served; without threads the views run on the event loop."""
    command = _gunicorn("bench.same_server", "bench.asgi")
    with _serving(project, command, {"BENCH_THREADS": str(threads)}) as url:
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


def _gunicorn(settings: str, application: str) -> Sequence[str]:
    options = ("--config", f"python:{settings}", "--workers", str(PROCESSES))
    return (sys.executable, "-m", "gunicorn", *options, f"{application}:application")


@contextmanager
def _serving(project: str, command: Sequence[str], settings: Mapping[str, str]) -> Iterator[str]:
    port = free_port()
    log = f"{project.rpartition('.')[2]}-web"
    place = ("--bind", f"127.0.0.1:{port}")
    with running(
        log, [*command, *place], {**environment(project), **settings}, partial(listens, port)
    ):
        yield f"http://127.0.0.1:{port}"
