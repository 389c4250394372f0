"""`post`: messages accepted a second, by this system and by other designs on the same services.

Each round waits until the other's rows are stored, so that no backlog of one design is worked off
in another's time. At the end the answers of this system are compared with its table.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import chain

from bench import BenchError, texts
from bench.processes import wait_until
from bench.product import Chat, Client, Database, new_chat
from bench.report import LOADS, Figure, Results, documents, middle, print_samples
from bench.rivals.designs import CREATORS, TEXTBOOK
from bench.rivals.running import Runner
from bench.rounds import Target, alternate, product_target, verify
from bench.services import services
from bench.wrk import Load, request_file

THIS = "this_system"

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
) -> Results:
    """Measure, and compare the answers with the table. Raises BenchError when one is wrong."""
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
        checked = verify(database, chat, this)
    exact = _check_exactly(database)
    servers = {name: target.served_by for name, target in targets.items()}
    details = {"servers": servers, "checked": checked, "exact": exact}
    return Results(figures, {**details, "rounds": documents(seen)})


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
