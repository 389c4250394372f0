"""`servers`: this system by each server and number of processes and threads, in rounds in turns.

Each serves the stack's services on a port of its own, so the stack's own web server is idle.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median

from bench import product, texts
from bench.database import Database
from bench.processes import free_port, listens, running
from bench.report import Figure, print_table, write
from bench.rounds import Round, alternate, loads
from bench.servers import product_server
from bench.services import services
from bench.target import Target


@dataclass(frozen=True)
class Choice:
    """A server with so many processes and threads in each."""

    server: str
    processes: int
    threads: int

    @property
    def name(self) -> str:
        """As a figure is called."""
        return f"{self.server}_{self.processes}x{self.threads}"


CHOICES = (
    *(Choice("uvicorn", processes, 32) for processes in (1, 2, 3, 4)),
    Choice("uvicorn", 2, 8),
    Choice("gunicorn", 2, 32),
    Choice("gunicorn", 2, 64),
)


def servers(*, seconds: float, rounds: int, connections: int) -> None:
    """Measure and report."""
    places = services()
    database = Database(places.database_url)
    with texts.request_file() as requests, ExitStack() as started:
        targets = []
        for choice in CHOICES:
            url = started.enter_context(_serving(choice))
            chat = product.new_chat(url)
            count = partial(product.count_messages, database, chat)
            targets.append(Target(choice.name, url + chat.messages_path, count))
        done = alternate(targets, requests, seconds=seconds, rounds=rounds, connections=connections)
    _report(done, [choice.name for choice in CHOICES])


@contextmanager
def _serving(choice: Choice) -> Iterator[str]:
    settings = {"WEB_CONCURRENCY": str(choice.processes), "WEB_THREADS": str(choice.threads)}
    if choice.server == "uvicorn":
        with product_server(choice.name, settings) as served:
            yield served.url
        return
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py"]
    command += ["--bind", f"127.0.0.1:{port}", "chatsystem.wsgi:application"]
    with running(choice.name, command, settings, partial(listens, port)):
        yield f"http://127.0.0.1:{port}"


def _report(done: Sequence[Round], names: Sequence[str]) -> None:
    found = {name: loads(done, name) for name in names}
    rates = {name: median(load.rate for load in seen) for name, seen in found.items()}
    p99 = {name: median(load.p99_ms for load in seen) for name, seen in found.items()}
    costs = {name: median(load.processor_ms for load in seen) for name, seen in found.items()}
    print_table(
        ("", "201/s", "p99 ms", "cpu ms/201"),
        [(name, f"{rates[name]:.0f}", f"{p99[name]:.1f}", f"{costs[name]:.2f}") for name in names],
    )
    figures = {f"{name}_rps": Figure(rate, "requests/s") for name, rate in rates.items()}
    write("servers", figures, {"rounds": [asdict(each) for each in done]})
