"""The other designs as data, and what each needs on the stack's services while it runs.

- textbook: DRF view and serializer, a number by Redis' INCR, one Celery task a row with a confirm.
  It checks less than the product (not even that the chat exists), so it is the faster for it.
- sync: DRF view and serializer; one transaction locks the chat's row, numbers and inserts.
- noop_django, noop_drf: views that parse JSON and answer 201, on the event loop of the product's
  own server, as its creates.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import redis
from kombu import Connection, Exchange, Queue

from bench.processes import running, serving
from bench.product import Database
from bench.rounds import Target
from bench.services import services

#: An application and a chat that need not exist in the product.
TOKEN, NUMBER = "0123456789abcdef01234567", 1
MESSAGES_PATH = f"/api/v1/applications/{TOKEN}/chats/{NUMBER}/messages"

PROCESSES = 2
_TRIAL_SECONDS = 4.0

# The product's columns as far as these designs have them, with the same unique key.
_MESSAGES = """CREATE TABLE {}_messages (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  application_token varchar(24) NOT NULL,
  chat_number bigint unsigned NOT NULL,
  message_number bigint unsigned NOT NULL,
  body longtext NOT NULL,
  created_at datetime(6) NOT NULL,
  updated_at datetime(6) NOT NULL,
  UNIQUE KEY (application_token, chat_number, message_number)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"""
_CHATS = """CREATE TABLE {}_chats (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  application_token varchar(24) NOT NULL,
  chat_number bigint unsigned NOT NULL,
  messages_count bigint unsigned NOT NULL,
  UNIQUE KEY (application_token, chat_number)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"""
_CHAT = f"INSERT INTO {{}}_chats VALUES (1, '{TOKEN}', {NUMBER}, 0)"  # noqa: S608 - constants

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
class Rival:
    """A design. Its tables, queue and keys in Redis begin with its name.

    `on_product_server`: it is served as the product is, else by gunicorn with threads.
    """

    name: str
    tables: Sequence[str] = ()
    has_worker: bool = False
    on_product_server: bool = False

    @contextmanager
    def running(self, threads: int, requests: Path, connections: int) -> Iterator[Target]:
        """Run it with this number of threads in each of its two processes.

        The product's server runs its views on the event loop and has no use for threads.
        """
        database = Database(services().database_url)
        environment = {
            "DJANGO_SETTINGS_MODULE": "bench.rivals.settings",
            "BENCH_RIVAL": self.name,
            "BENCH_PRODUCT_SERVER": "1" if self.on_product_server else "",
        }
        application = "django.core.wsgi:get_wsgi_application()"
        if self.on_product_server:
            application = "bench.rivals.asgi:application"
        server = (*_GUNICORN, "--threads", str(threads), application)
        count = f"SELECT COUNT(*) FROM {self.name}_messages"  # noqa: S608 - a name of this file
        self._remove(database)
        try:
            for statement in self.tables:
                database.execute(statement.format(self.name))
            with ExitStack() as started:
                if self.has_worker:
                    worker = running(f"{self.name}-worker", _WORKER, environment)
                    started.enter_context(worker)
                web = started.enter_context(serving(self.name, server, environment))
                yield Target(
                    name=self.name,
                    url=web.url + MESSAGES_PATH,
                    requests=requests,
                    connections=connections,
                    count=partial(database.number, count) if self.tables else None,
                )
        finally:
            self._remove(database)

    def best_threads(self, choices: Sequence[int], requests: Path, connections: int) -> int:
        """The number of threads with which it accepts most; prints the rate of each."""
        if len(choices) == 1 or self.on_product_server:
            return choices[0]
        rates: dict[int, float] = {}
        for threads in choices:
            with self.running(threads, requests, connections) as target:
                target.post(1.0)
                rates[threads] = target.post(_TRIAL_SECONDS).rate
        shown = ", ".join(f"{threads}: {rate:.0f}/s" for threads, rate in rates.items())
        print(f"{self.name} by threads of each process: {shown}", flush=True)
        return max(rates, key=lambda threads: rates[threads])

    def _remove(self, database: Database) -> None:
        """Remove its tables, queue, exchange and keys, also those of a run that was killed."""
        for table in ("messages", "chats"):
            database.execute(f"DROP TABLE IF EXISTS {self.name}_{table}")
        with Connection(services().broker_url) as broker:
            Queue(self.name, channel=broker.default_channel).delete()
            Exchange(self.name, channel=broker.default_channel).delete()
        with redis.Redis.from_url(services().scratch_redis_url) as client:
            for key in client.scan_iter(f"{self.name}:*"):
                client.delete(key)


TEXTBOOK = Rival("textbook", tables=(_MESSAGES,), has_worker=True)
RIVALS = (
    TEXTBOOK,
    Rival("sync", tables=(_MESSAGES, _CHATS, _CHAT)),
    Rival("noop_django", on_product_server=True),
    Rival("noop_drf", on_product_server=True),
)
