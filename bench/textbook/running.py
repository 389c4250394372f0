"""It runs: gunicorn, one worker, and what they need on the stack's servers."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from bench.database import Database
from bench.processes import running
from bench.route import MESSAGES
from bench.servers import environment, gunicorn
from bench.services import Services
from bench.target import Target
from bench.textbook import resources

NAME = "textbook"
_PROJECT = "bench.textbook"
# As many worker processes as the product's stack has; nothing that a single worker does not need.
_WORKER = (
    *("-m", "celery", "--app", "bench.textbook.celery", "worker", "--concurrency", "1"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"),
)


@contextmanager
def textbook(services: Services, database: Database, threads: int) -> Iterator[Target]:
    """Where it listens; everything is gone afterwards."""
    worker = [sys.executable, *_WORKER]
    is_ready = partial(resources.has_worker, services)
    resources.remove(services, database)
    try:
        resources.make(database)
        with (
            running("textbook-worker", worker, environment(_PROJECT), is_ready),
            gunicorn(_PROJECT, threads=threads) as url,
        ):
            yield Target(NAME, url + MESSAGES, partial(resources.count, database))
    finally:
        resources.remove(services, database)
