"""`embedded`: messages accepted a second by the embedded profile, one SQLite file and no service.

A server of this measurement's own, in a folder of its own on the disk of the checkout. What it has
answered with 201 is in the file already, and is looked up there.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median

from bench import product, texts
from bench.database import Rows, Statements
from bench.processes import RESULTS, ROOT
from bench.report import Figure, print_table, write
from bench.rounds import Round, alternate
from bench.servers import product_server
from bench.target import Target
from bench.verification import check_chat

_MIGRATION_SECONDS = 120
_SETTINGS: Mapping[str, str] = {
    "DATABASE_URL": "",
    "REDIS_URL": "",
    "BROKER_URL": "",
    "ELASTICSEARCH_URL": "",
    "SECRET_KEY": "",
    "REQUIRE_KEYS": "0",
    "RATE_LIMIT": "",
    "WEB_CONCURRENCY": "0",
}


class SqliteFile(Statements):
    """The file as an outsider sees it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def execute(self, statement: str, *parameters: object) -> Rows:
        """What it answers, if anything."""
        with closing(sqlite3.connect(self._path, timeout=30)) as connection:
            return connection.execute(statement.replace("%s", "?"), parameters).fetchall()


def embedded(*, seconds: float, rounds: int, connections: int) -> None:
    """Measure and report. Raises BenchError when what was answered is not what is stored."""
    RESULTS.mkdir(exist_ok=True)
    # Not where temporary files usually are: that may be memory, where a commit costs nothing.
    with tempfile.TemporaryDirectory(dir=RESULTS) as name, _server(Path(name)) as base_url:
        folder = Path(name)
        database = SqliteFile(folder / "chatsystem.sqlite3")
        chat = product.new_chat(base_url)
        target = Target(
            name="embedded",
            address=base_url + chat.messages_path,
            count_stored=partial(product.count_messages, database, chat),
        )
        with texts.request_file() as requests:
            done = alternate(
                [target], requests, seconds=seconds, rounds=rounds, connections=connections
            )
        checked = check_chat(database, chat, done, connections)
    _report(done, asdict(checked))


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    settings = {**_SETTINGS, "VAR_DIR": str(folder)}
    migrate = [sys.executable, "manage.py", "migrate", "--noinput", "--verbosity", "0"]
    merged = {**os.environ, **settings}
    subprocess.run(migrate, cwd=ROOT, env=merged, timeout=_MIGRATION_SECONDS, check=True)
    with product_server("embedded", settings) as served:
        yield served.url


def _report(done: list[Round], checked: dict[str, object]) -> None:
    loads = [each.load for each in done if not each.is_warm_up]
    rate = median(load.rate for load in loads)
    p50, p99 = median(load.p50_ms for load in loads), median(load.p99_ms for load in loads)
    print_table(
        ("", "201/s", "not 2xx", "p50 ms", "p99 ms"),
        [
            (
                "embedded",
                f"{rate:.0f}",
                f"{sum(load.refused for load in loads)}",
                f"{p50:.1f}",
                f"{p99:.1f}",
            )
        ],
    )
    figures = {
        "embedded_post_rps": Figure(rate, "requests/s"),
        "embedded_post_p50_ms": Figure(p50, "ms"),
        "embedded_post_p99_ms": Figure(p99, "ms"),
    }
    write("embedded", figures, {"checked": checked, "rounds": [asdict(each) for each in done]})
