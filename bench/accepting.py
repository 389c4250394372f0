"""`post`: messages accepted a second, by this system and by other designs on the same services.

Each round waits until the other's rows are stored, so that no backlog of one design is worked off
in another's time. At the end the answers of this system are compared with its table.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain, islice
from typing import Any

from bench import BenchError, texts
from bench.processes import wait_until
from bench.product import Chat, Client, Database, backlog, count_chats, new_chat
from bench.report import LOADS, Figure, Results, documents, middle, print_samples
from bench.rivals.designs import CREATORS, TEXTBOOK
from bench.rivals.running import Runner
from bench.rounds import Target, alternate, interleave, product_target, verify
from bench.services import services
from bench.wrk import Load, Request, request_file

THIS = "this_system"

_PER_BULK = 100
#: Fewer than for single messages: each request is a hundred of them.
_BULK_CONNECTIONS = 8
_DIFFERENT = 50
#: The share of accepted rows that may not be stored yet: some groups, and rows since the look.
_GROWTH = 0.02
_TRIES, _SLOWER, _RUN_UP_SECONDS = 4, 0.98, 3.0
_EXACT_SECONDS, _EXACT_CLIENTS = 5.0, 16

Figures = dict[str, Figure]


@contextmanager
def this_system(database: Database, connections: int) -> Iterator[tuple[Target, Chat]]:
    """The stack as it runs, as a target of creates in a chat of its own."""
    with request_file(texts.creates()) as requests:
        yield product_target(THIS, services().base_url, database, requests, connections)


def warm(*, seconds: float, connections: int) -> None:
    """Send load before anything is measured.

    A freshly started Elasticsearch compiles itself for a minute or two, at three times the cost.
    """
    with this_system(Database(services().database_url), connections) as (target, _):
        print(f"{target.send(seconds).rate:.0f} messages/s on average")


def post(
    *,
    seconds: float,
    rounds: int,
    connections: int,
    threads: Sequence[int],
    steady: float,
    clients: Sequence[int],
) -> Results:
    """Measure, and compare the answers with the table.

    `steady`: seconds for which a rate must be sustained. Raises BenchError when an answer is wrong.
    """
    database = Database(services().database_url)
    with this_system(database, connections) as (this, chat), ExitStack() as started:
        targets = {THIS: this}
        for design in CREATORS:
            running = Runner(design, this.requests, connections).running(threads)
            targets[design.name] = started.enter_context(running)
        both = [this, targets[TEXTBOOK.name]]
        seen = alternate(list(targets.values()), seconds=seconds, rounds=rounds)
        print_samples("POST message", seen, LOADS)
        figures = _side_by_side(seen)
        peaks = {name: middle(loads, lambda load: load.rate) for name, loads in seen.items()}
        figures |= _at_half_the_peak(both, peaks, seconds, rounds)
        figures |= _sustained(both, steady)
        figures |= _others(database, peaks[THIS], connections, seconds, rounds)
        lone, curve = _by_clients(both, clients, seconds / 2)
        checked = verify(database, chat, this)
    exact = _check_exactly(database)
    servers = {name: target.served_by for name, target in targets.items()}
    details = {"servers": servers, "checked": checked, "exact": exact, "by_clients": curve}
    return Results(figures | lone, {**details, "rounds": documents(seen)})


def _side_by_side(seen: Mapping[str, Sequence[Load]]) -> Figures:
    rates = {name: middle(loads, lambda load: load.rate) for name, loads in seen.items()}
    this = rates.pop(THIS)
    ratios = {name: this / rate for name, rate in rates.items()}
    figures = {"post_message_rps": Figure(this, "requests/s", ratios)}
    for name, rate in rates.items():
        figures[f"{name}_post_message_rps"] = Figure(rate, "requests/s")
        print(f"this system / {name} = {ratios[name]:.2f} (medians)", flush=True)
    p99 = middle(seen[THIS], lambda load: load.p99_ms)
    return {**figures, "post_message_p99_ms": Figure(p99, "ms")}


def _at_half_the_peak(
    both: Sequence[Target], peaks: Mapping[str, float], seconds: float, rounds: int
) -> Figures:
    """Latency when each design gets half of the requests a second that it can take."""
    rates = {target.name: peaks[target.name] / 2 for target in both}
    seen = alternate(both, seconds=seconds, rounds=rounds, rates=rates)
    print_samples("at half the peak", seen, LOADS)
    p99, other = (middle(seen[target.name], lambda load: load.p99_ms) for target in both)
    return {
        "half_rate_p99_ms": Figure(p99, "ms", {TEXTBOOK.name: p99 / other}),
        "textbook_half_rate_p99_ms": Figure(other, "ms"),
        "half_rate_p50_ms": Figure(middle(seen[THIS], lambda load: load.p50_ms), "ms"),
    }


def _sustained(both: Sequence[Target], seconds: float) -> Figures:
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


def _others(
    database: Database, single: float, connections: int, seconds: float, rounds: int
) -> Figures:
    """Messages a second by requests of a hundred, and chats a second."""
    base_url = services().base_url
    chat, other = new_chat(base_url), new_chat(base_url)
    bodies = iter([{"body": body} for body in texts.bodies(_DIFFERENT * _PER_BULK)])
    bulk = [{"messages": list(islice(bodies, _PER_BULK))} for _ in range(_DIFFERENT)]
    chats = [{"name": f"chat {number}"} for number in range(_DIFFERENT)]
    with (
        request_file(Request("POST", body=body) for body in bulk) as bulk_file,
        request_file(Request("POST", body=body) for body in chats) as chat_file,
    ):
        bulk_url, chats_url = f"{chat.messages_path}/bulk", other.path.rpartition("/")[0]
        count = partial(count_chats, database, other.token)

        def bulk_count() -> int:
            return chat.count(database) // _PER_BULK

        targets = [
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
    by_bulk, by_chat = (middle(loads, lambda load: load.rate) for loads in seen.values())
    messages = _PER_BULK * by_bulk
    return {
        "bulk_messages_per_s": Figure(messages, "messages/s", {"single": messages / single}),
        "post_chat_rps": Figure(by_chat, "requests/s", {"post_message": by_chat / single}),
    }


def _by_clients(
    both: Sequence[Target], numbers: Sequence[int], seconds: float
) -> tuple[Figures, list[dict[str, Any]]]:
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


def _check_exactly(database: Database) -> int:
    """Post for some seconds and keep every answer; returns their number.

    Raises BenchError unless the table holds exactly the numbers and bodies that were answered.
    """
    base_url = services().base_url
    chat = new_chat(base_url)
    until = time.monotonic() + _EXACT_SECONDS
    bodies = texts.bodies(500)

    def write(_: int) -> dict[int, str]:
        answers: dict[int, str] = {}
        with Client(base_url) as client:
            while time.monotonic() < until:
                body = f"{len(answers)} {bodies[len(answers) % len(bodies)]}"
                answers[client.create(chat.messages_path, body=body)["message_number"]] = body
        return answers

    with ThreadPoolExecutor(_EXACT_CLIENTS) as clients:
        each = list(clients.map(write, range(_EXACT_CLIENTS)))
    answers = dict(chain.from_iterable(one.items() for one in each))
    if len(answers) < sum(map(len, each)):
        raise BenchError("a number was answered twice")
    wait_until(lambda: chat.count(database) >= len(answers), 120.0, "all rows are stored")
    if sorted(answers) != list(range(1, len(answers) + 1)):
        raise BenchError("the numbers answered are not 1 to N")
    if chat.bodies(database) != answers:
        raise BenchError("the stored messages are not those that were answered")
    print(f"exact run: {len(answers)} answers; the table holds exactly them", flush=True)
    return len(answers)
