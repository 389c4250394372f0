"""It runs: gunicorn, one worker, and what they need on the stack's servers."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from bench.database import Database
from bench.processes import free_port, listens, running
from bench.services import Services
from bench.target import Target
from bench.textbook import resources

_PATH = "/api/v1/applications/0123456789abcdef01234567/chats/1/messages"
_SETTINGS = {"DJANGO_SETTINGS_MODULE": "bench.textbook.settings"}
# As many worker processes as the product's stack has; nothing that a single worker does not need.
_WORKER = (
    *("-m", "celery", "--app", "bench.textbook.celery", "worker", "--concurrency", "1"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"),
)
_WEB = ("-m", "gunicorn", "--config", "python:bench.textbook.gunicorn_settings")


@contextmanager
def textbook(services: Services, database: Database, *, threads: int) -> Iterator[Target]:
    """Where it listens; everything is gone afterwards."""
    port = free_port()
    web = [sys.executable, *_WEB, "--threads", str(threads), "--bind", f"127.0.0.1:{port}"]
    web.append("bench.textbook.wsgi:application")
    worker = [sys.executable, *_WORKER]
    resources.remove(services, database)
    try:
        resources.make(database)
        with (
            running("textbook-worker", worker, _SETTINGS, partial(resources.has_worker, services)),
            running("textbook-web", web, _SETTINGS, partial(listens, port)),
        ):
            yield Target(
                name="textbook",
                address=f"http://127.0.0.1:{port}{_PATH}",
                count_stored=lambda: database.number("SELECT COUNT(*) FROM textbook_messages"),
            )
    finally:
        resources.remove(services, database)
