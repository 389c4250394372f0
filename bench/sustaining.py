"""`sustained`, `bulk`: creates for longer, from few and many clients, and many in a request."""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Any

from bench import texts
from bench.accepting import this_system
from bench.product import Database, backlog, count_chats, new_chat
from bench.report import LOADS, Figure, Results, documents, middle, print_samples
from bench.rivals.designs import TEXTBOOK
from bench.rivals.running import Runner
from bench.rounds import Target, alternate, interleave
from bench.services import services
from bench.wrk import Load, Request, request_file

_PER_BULK = 100
#: Fewer than for single messages: each request is a hundred of them.
_BULK_CONNECTIONS = 8
_DIFFERENT = 50
#: The share of accepted rows that may not be stored yet: some groups, and rows since the look.
_GROWTH = 0.02
_TRIES, _SLOWER, _RUN_UP_SECONDS = 4, 0.98, 3.0


def sustained(
    *,
    steady: float,
    clients: Sequence[int],
    seconds: float,
    connections: int,
    threads: Sequence[int],
) -> Results:
    """Measure the rate that is sustained for `steady` seconds, and that of these many clients.

    Each number of clients sends for `seconds`.
    """
    database = Database(services().database_url)
    with this_system(database, connections) as (this, _):
        runner = Runner(TEXTBOOK, this.requests, connections)
        with runner.running(threads) as textbook:
            both = [this, textbook]
            figures = _sustained(both, steady)
            lone, curve = _by_clients(both, clients, seconds)
    return Results(figures | lone, {"server": textbook.served_by, "by_clients": curve})


def _sustained(both: Sequence[Target], seconds: float) -> dict[str, Figure]:
    """Rows accepted and stored a second while no backlog grows."""
    seen = interleave({target.name: partial(_steady, target, seconds) for target in both}, 1)
    columns = {
        "stored a second": lambda load: load.stored_rate,
        "201 a second": lambda load: load.rate,
        "backlog": lambda load: load.answered - load.stored,
    }
    print_samples(f"sustained for {seconds:.0f} s", seen, columns)
    this, other = (min(seen[one.name][0].rate, seen[one.name][0].stored_rate) for one in both)
    return {
        "sustained_rps": Figure(this, "rows/s", {TEXTBOOK.name: this / other}),
        "textbook_sustained_rps": Figure(other, "rows/s"),
    }


def _steady(target: Target, seconds: float) -> Load:
    """Load at its peak, and again at the pace of storing for as long as the backlog grows.

    The backlog of a run-up stays, so that what is stored meanwhile is what a worker can store.
    """
    rate = 0.0
    for _ in range(_TRIES):
        before = target.rows()
        run_up = target.send_without_waiting(_RUN_UP_SECONDS, rate)
        seen = target.send_without_waiting(seconds, rate)
        target.settle(before + run_up.answered + seen.answered)
        if seen.answered - seen.stored <= _GROWTH * seen.answered + target.connections:
            break
        rate = _SLOWER * seen.stored_rate
    return seen


def _by_clients(
    both: Sequence[Target], numbers: Sequence[int], seconds: float
) -> tuple[dict[str, Figure], list[dict[str, Any]]]:
    """Latency of a client that is alone, if asked for; throughput and latency by clients."""
    points = [(target, number) for number in numbers for target in both]
    measures = {
        f"{target.name}, clients: {number}": partial(target.send, seconds, connections=number)
        for target, number in points
    }
    seen = interleave(measures, 1)
    print_samples("by clients", seen, LOADS)
    figures, curve = {}, []
    for (target, number), [load] in zip(points, seen.values(), strict=True):
        point = {"rate": load.rate, "p50_ms": load.p50_ms, "p99_ms": load.p99_ms}
        curve.append({"target": target.name, "clients": number, **point})
        if number == 1:
            figures[f"lone_{target.name}_p50_ms"] = Figure(load.p50_ms, "ms")
            figures[f"lone_{target.name}_p99_ms"] = Figure(load.p99_ms, "ms")
    return figures, curve


def bulk(*, seconds: float, rounds: int, connections: int) -> Results:
    """Measure messages by requests of a hundred, and chats, beside single messages."""
    database, base_url = Database(services().database_url), services().base_url
    chat, other = new_chat(base_url), new_chat(base_url)
    bodies = iter([{"body": body} for body in texts.bodies(_DIFFERENT * _PER_BULK)])
    bulk = [{"messages": list(islice(bodies, _PER_BULK))} for _ in range(_DIFFERENT)]
    chats = [{"name": f"chat {number}"} for number in range(_DIFFERENT)]
    with (
        this_system(database, connections) as (this, _),
        request_file(Request("POST", body=body) for body in bulk) as bulk_file,
        request_file(Request("POST", body=body) for body in chats) as chat_file,
    ):
        bulk_url, chats_url = f"{chat.messages_path}/bulk", other.path.rpartition("/")[0]
        count = partial(count_chats, database, other.token)

        def bulk_count() -> int:
            return chat.count(database) // _PER_BULK

        targets = [
            this,
            Target(
                "by 100",
                base_url + bulk_url,
                bulk_file,
                _BULK_CONNECTIONS,
                bulk_count,
                partial(backlog, database),
            ),
            Target("chats", base_url + chats_url, chat_file, connections, count),
        ]
        seen = alternate(targets, seconds=seconds, rounds=rounds)
    print_samples("other creates", seen, LOADS)
    single, by_bulk, by_chat = (middle(loads, lambda load: load.rate) for loads in seen.values())
    messages = _PER_BULK * by_bulk
    figures = {
        "bulk_messages_per_s": Figure(messages, "messages/s", {"single": messages / single}),
        "post_chat_rps": Figure(by_chat, "requests/s", {"post_message": by_chat / single}),
    }
    return Results(figures, documents(seen))
