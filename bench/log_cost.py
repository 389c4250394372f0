"""`log`: creates with the log of events and without it, in turns.

Each has web processes and a worker of its own; the stack's workers are stopped meanwhile. The
indexing of messages stops with them, in both cases.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

from bench import report, texts
from bench.drain import WORKER
from bench.processes import product_server, running
from bench.product import Database
from bench.report import LOADS, Figure, Results
from bench.rounds import Target, interleave, nothing_left, product_target, verify
from bench.services import control, services
from bench.wrk import Load, checked, request_file

_OPEN = {"REQUIRE_KEYS": "0", "RATE_LIMIT": ""}
_VARIANTS: Mapping[str, Mapping[str, str]] = {
    "with the log": {},
    "without it": {"DJANGO_SETTINGS_MODULE": "bench.rivals.without_events.settings"},
}
_WARM_UP_SECONDS = 3.0


def log(*, seconds: float, rounds: int, connections: int) -> Results:
    """Measure both in turns. Raises BenchError when a create was not accepted or not stored."""
    database, base_url = Database(services().database_url), services().base_url
    control("stop", "worker")
    try:
        with request_file(texts.creates()) as requests, ExitStack() as started:
            loads, made = {}, []
            for name, settings in _VARIANTS.items():
                server = started.enter_context(product_server("log", {**_OPEN, **settings}))
                target, chat = product_target(name, base_url, database, requests, connections)
                url = server.url + chat.messages_path
                # Nothing is indexed meanwhile: that is the work of the stack's worker.
                target = replace(target, url=url, backlog=nothing_left)
                loads[name] = partial(_of_variant, target, settings, seconds)
                made.append((target, chat))
            seen = interleave(loads, rounds)
            with _worker({}):
                for target, chat in made:
                    verify(database, chat, target)
    finally:
        control("start", "worker")
    report.print_samples("creates", seen, LOADS)
    rates = {
        name: report.middle(map(checked, several), lambda load: load.rate)
        for name, several in seen.items()
    }
    on, off = rates.values()
    figures = {"log_post_message_rps": Figure(on, "requests/s", {"without": on / off})}
    return Results(figures, report.documents(seen))


def _of_variant(target: Target, settings: Mapping[str, str], seconds: float) -> Load:
    with _worker(settings):
        target.send(_WARM_UP_SECONDS)
        return target.send(seconds)


@contextmanager
def _worker(settings: Mapping[str, str]) -> Iterator[None]:
    with running("worker", WORKER, settings):
        yield
