"""Runs another design on the stack's services, on the server that suits it best.

A design with threads is tried behind gunicorn with threads and behind the product's server class,
each with several numbers of threads; the fastest counts.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import redis
from kombu import Connection, Exchange, Queue

from bench import BenchError
from bench.processes import ROOT, running, serving
from bench.product import Database
from bench.rivals.designs import MESSAGES_PATH, Design
from bench.rounds import Target
from bench.services import services

PROCESSES = 2
_TRY_OUT_SECONDS, _TRIAL_SECONDS = 1.0, 3.0

# One worker process, as the stack has it, without what a single worker does not need.
_WORKER = (
    *("-m", "celery", "--app", "bench.rivals.tasks", "worker", "--concurrency", "1"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"),
)
_GUNICORN = (
    *("-m", "gunicorn", "--config", "python:bench.rivals.gunicorn_settings"),
    *("--workers", str(PROCESSES), "--bind", "127.0.0.1:{port}"),
)


@dataclass(frozen=True)
class Serving:
    """A server, and the threads of each of its processes; 0 for the product's event loop."""

    on_product_server: bool
    threads: int

    def __str__(self) -> str:
        server = "the product's server" if self.on_product_server else "gunicorn"
        return f"{server} with {self.threads} threads" if self.threads else server


def servings(design: Design, threads: Sequence[int]) -> list[Serving]:
    """The servers to be tried; gunicorn alone if there is one number of threads."""
    if not design.has_threads:
        return [Serving(on_product_server=True, threads=0)]
    classes = (False, True) if len(threads) > 1 else (False,)
    return [Serving(one, number) for one in classes for number in threads]


@dataclass(frozen=True)
class Runner:
    """Runs a design under a load of these requests.

    `tokens`: the applications whose rows it reads, which its index is filled with. `only_creates`:
    whether each request creates a row, if the design has a table.
    """

    design: Design
    requests: Path
    connections: int
    tokens: Sequence[str] = ()
    only_creates: bool = True

    @contextmanager
    def running(self, threads: Sequence[int]) -> Iterator[Target]:
        """Try these numbers of threads, then run it with the best while the block runs."""
        database = Database(services().database_url)
        self._remove(database)
        try:
            for statement in self.design.tables:
                database.execute(statement.format(self.design.name))
            with ExitStack() as started:
                if self.design.has_index:
                    started.callback(self._search_index, "--delete")
                    self._search_index("--rebuild")
                if self.design.has_worker:
                    worker = running(f"{self.design.name}-worker", _WORKER, self._environment())
                    started.enter_context(worker)
                best = self._best(servings(self.design, threads), database)
                yield started.enter_context(self._served(best, database))
        finally:
            self._remove(database)

    def _best(self, tried: Sequence[Serving], database: Database) -> Serving:
        """The server with which it answers most; prints the rate of each."""
        if len(tried) == 1:
            return tried[0]
        rates: dict[Serving, float] = {}
        for one in tried:
            with self._served(one, database) as target:
                target.send(_TRY_OUT_SECONDS)
                rates[one] = target.send(_TRIAL_SECONDS).rate
        shown = ", ".join(f"{one}: {rate:.0f}/s" for one, rate in rates.items())
        print(f"{self.design.name} by {shown}", flush=True)
        return max(rates, key=lambda one: rates[one])

    @contextmanager
    def _served(self, how: Serving, database: Database) -> Iterator[Target]:
        name = self.design.name
        application = "django.core.wsgi:get_wsgi_application()"
        if how.on_product_server:
            application = "bench.rivals.asgi:application"
        # The product's class of gunicorn's workers takes no notice of --threads.
        command = (*_GUNICORN, "--threads", str(max(how.threads, 1)), application)
        rows = f"SELECT COUNT(*) FROM {name}_messages"  # noqa: S608 - a name of bench.rivals.designs
        with serving(name, command, self._environment(how)) as web:
            yield Target(
                name,
                web.url + MESSAGES_PATH,
                self.requests,
                self.connections,
                rows_in_table=partial(database.number, rows) if self.design.tables else None,
                only_creates=self.only_creates,
                served_by=str(how),
            )

    def _environment(self, how: Serving | None = None) -> Mapping[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "bench.rivals.settings",
            "BENCH_RIVAL": self.design.name,
            "BENCH_INDEX": "1" if self.design.has_index else "",
            "BENCH_TOKENS": " ".join(self.tokens),
            "BENCH_PRODUCT_SERVER": "1" if how and how.on_product_server else "",
            "BENCH_THREADS": str(how.threads if how else 0),
        }

    def _search_index(self, action: str) -> None:
        """A command of django-elasticsearch-dsl. Raises BenchError when it fails."""
        command = [sys.executable, "-m", "django", "search_index", action, "-f"]
        environment = {**os.environ, **self._environment()}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BenchError(f"search_index {action} of {self.design.name}: {done.stderr[-500:]}")

    def _remove(self, database: Database) -> None:
        """Remove its tables, queue, exchange and keys, also those of a run that was killed."""
        name = self.design.name
        for table in ("messages", "chats"):
            database.execute(f"DROP TABLE IF EXISTS {name}_{table}")
        with Connection(services().broker_url) as broker:
            Queue(name, channel=broker.default_channel).delete()
            Exchange(name, channel=broker.default_channel).delete()
        with redis.Redis.from_url(services().scratch_redis_url) as client:
            for key in client.scan_iter(f"{name}:*"):
                client.delete(key)
