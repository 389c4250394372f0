"""`mixed`: all routes of a chat at once, by their shares, with keys; beside stock views.

wrk tells the latency of all its requests together. So that of each route comes from a run in which
every route has a wrk of its own, all at once: each sends its share of half the peak rate over its
share of the connections, so together they are the same mix.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path

from bench.filling import filled
from bench.processes import product_server
from bench.product import Database, backlog
from bench.reads import check
from bench.report import (
    LOADS,
    Figure,
    Results,
    documents,
    load_figures,
    middle,
    print_samples,
)
from bench.rivals.designs import STOCK_MIXED
from bench.rivals.running import Runner
from bench.rounds import Target, alternate
from bench.routes import MIX, Asker
from bench.services import services
from bench.wrk import Load, checked, load, request_file

_SETTINGS: Mapping[str, str] = {"REQUIRE_KEYS": "1", "RATE_LIMIT": ""}
_APPLICATIONS = 10
_DIFFERENT = 20_000
_NAME = "mixed"
_PAGES = ("newest", "search")


def mixed(
    *,
    chats: int,
    messages: int,
    seconds: float,
    rounds: int,
    connections: int,
    threads: Sequence[int],
) -> Results:
    """Measure the mix in `chats` chats of `messages` messages each, and each route within it.

    The product checks keys, which the stock views do not have. Raises BenchError when a request
    fails.
    """
    database = Database(services().database_url)
    per_application = chats // _APPLICATIONS
    with (
        filled(
            database,
            chats=per_application,
            messages=messages,
            applications=_APPLICATIONS,
            is_indexed=True,
        ) as made,
        ExitStack() as started,
    ):
        tokens = sorted({chat.token for chat in made})
        asker = Asker(made, messages, with_keys=True)
        stock = Asker(made, messages, is_stock=True, with_keys=True)
        files = [started.enter_context(request_file(one.mix(_DIFFERENT))) for one in (asker, stock)]
        server = started.enter_context(product_server(_NAME, _SETTINGS))
        this = _this_system(server.url, files[0], connections, database, tokens)
        runner = Runner(STOCK_MIXED, files[1], connections, tokens, only_creates=False)
        rival = started.enter_context(runner.running(threads))
        for target, its_asker in ((this, asker), (rival, stock)):
            for route in _PAGES:
                check(target.url, its_asker.requests(route, 1)[0], is_page=True)
        both = [this, rival]
        seen = alternate(both, seconds=seconds, rounds=rounds)
        rates = {name: middle(loads, lambda load: load.rate) / 2 for name, loads in seen.items()}
        half = alternate(both, seconds=seconds, rounds=rounds, rates=rates)
        by_route = _by_route(this, asker, rates[_NAME], seconds)
        this.settle(0)
    print_samples("mixed", seen, LOADS)
    print_samples("at half the peak", half, LOADS)
    print_samples("by route, at half the peak", by_route, LOADS)
    runs = {"peak": seen, "half": half, "by_route": by_route}
    for run in runs.values():
        for each in chain.from_iterable(run.values()):
            checked(each)
    servers = {target.name: target.served_by for target in both}
    details = {name: documents(run) for name, run in runs.items()}
    return Results(figures_of(seen, half, by_route), {**details, "servers": servers})


def _this_system(
    url: str, requests: Path, connections: int, database: Database, tokens: Sequence[str]
) -> Target:
    return Target(
        _NAME,
        url,
        requests,
        connections,
        rows_in_table=partial(_rows, database, tokens),
        backlog=partial(backlog, database),
        only_creates=False,
    )


def _rows(database: Database, tokens: Sequence[str]) -> int:
    """Messages stored in these applications."""
    marks = ", ".join(["%s"] * len(tokens))
    statement = f"SELECT COUNT(*) FROM messages WHERE application_token IN ({marks})"  # noqa: S608
    return database.number(statement, *tokens)


def _by_route(
    this: Target, asker: Asker, rate: float, seconds: float
) -> Mapping[str, Sequence[Load]]:
    """One load of each route, all at the same time, by their shares of rate and connections."""
    with ExitStack() as files, ThreadPoolExecutor(len(MIX)) as pool:
        running = {}
        for route, share in MIX.items():
            file = files.enter_context(request_file(asker.requests(route, _DIFFERENT)))
            running[route] = partial(
                load,
                this.url,
                file,
                connections=max(1, this.connections * share // 100),
                seconds=seconds,
                rate=rate * share / 100,
            )
        found = {route: pool.submit(run) for route, run in running.items()}
        return {route: [one.result()] for route, one in found.items()}


def figures_of(
    seen: Mapping[str, Sequence[Load]],
    half: Mapping[str, Sequence[Load]],
    by_route: Mapping[str, Sequence[Load]],
) -> dict[str, Figure]:
    """The figures of both designs at their peaks and at half of them, and of each route."""
    other = STOCK_MIXED.name
    figures = load_figures(_NAME, seen[_NAME], {other: seen[other]})
    figures[f"{other}_rps"] = Figure(middle(seen[other], lambda load: load.rate), "requests/s")
    for name, loads in half.items():
        figures |= _latency(f"{name}_half_rate", loads)
    for route, loads in by_route.items():
        figures |= _latency(f"mixed_{route}", loads)
    return figures


def _latency(name: str, loads: Sequence[Load]) -> dict[str, Figure]:
    return {
        f"{name}_p50_ms": Figure(middle(loads, lambda load: load.p50_ms), "ms"),
        f"{name}_p99_ms": Figure(middle(loads, lambda load: load.p99_ms), "ms"),
    }
