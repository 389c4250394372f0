"""`servers`: the product behind each HTTP server, in rounds in turns, on the stack's services.

The loads, then what clients can do to a server: bytes that are wrong, slow bodies, idle
connections, an answer read slowly, and SIGTERM while they ask. The stack's own web server is idle.
"""

import asyncio
import resource
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from bench import product, texts
from bench.database import Database
from bench.product import Chat
from bench.report import Figure, print_table, write
from bench.requests import Request, write_mixed
from bench.rounds import settle
from bench.servers import Served
from bench.servers_compared import clients, faults
from bench.servers_compared.contenders import CONTENDERS, memory, processor_seconds, serving
from bench.services import services
from bench.target import Target
from bench.wrk import Load, load, mixed_load

_WARM_UP_SECONDS = 3.0
_SLOW_CLIENTS, _QUICK_REQUESTS = 200, 300
_IDLE_CONNECTIONS, _OTHER_FILES = 10_000, 500
_TERM_CLIENTS, _TERM_AFTER_SECONDS = 32, 2.0
_KIB, _MIB = 2**10, 2**20

#: By measure and server: what each round found.
_Found = dict[str, dict[str, list[float]]]


class _Contender:
    """A server that runs, and a chat of its own."""

    def __init__(self, name: str, served: Served, database: Database) -> None:
        self.name, self.served = name, served
        self.chat = product.new_chat(served.url)
        count = partial(product.count_messages, database, self.chat)
        self.target = Target(name, served.url + self.chat.messages_path, count)


def servers(*, seconds: float, rounds: int, connections: int, processes: int) -> None:
    """Measure and report."""
    idle_connections = _raise_file_limit()
    database = Database(services().database_url)
    found: _Found = defaultdict(lambda: defaultdict(list))
    with texts.request_file() as requests, ExitStack() as started:
        contenders = []
        for name in CONTENDERS:
            served = started.enter_context(serving(name, processes))
            contenders.append(_Contender(name, served, database))
        answers = _answers_to_faults(contenders)
        _under_load(
            contenders, requests, found, seconds=seconds, rounds=rounds, connections=connections
        )
        _beside_others(contenders, found, rounds, idle_connections)
    for _ in range(rounds):
        for name in CONTENDERS:
            _ended(name, processes, found)
    _report(found, answers)


def _raise_file_limit() -> int:
    """How many idle connections this process may have; the servers inherit its limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(_IDLE_CONNECTIONS, hard - _OTHER_FILES)


def _answers_to_faults(contenders: Sequence[_Contender]) -> dict[str, dict[str, str]]:
    return {
        fault.name: {
            each.name: faults.answer(each.served.url, each.chat.messages_path, fault)
            for each in contenders
        }
        for fault in faults.FAULTS
    }


def _under_load(
    contenders: Sequence[_Contender],
    requests: Path,
    found: _Found,
    *,
    seconds: float,
    rounds: int,
    connections: int,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for each in contenders:
            _post(each, requests, _WARM_UP_SECONDS, connections)
            items = [f"{each.chat.messages_path}/{number}" for number in range(1, 101)]
            write_mixed(Path(folder) / each.name, [Request("GET", path) for path in items])
        for number in range(rounds):
            # The one that comes first changes, so that nobody always follows the same rival.
            in_turn = contenders if number % 2 == 0 else contenders[::-1]
            for each in in_turn:
                post = _post(each, requests, seconds, connections, found)
                found["POST/s"][each.name].append(post.rate)
            for each in in_turn:
                get = partial(
                    mixed_load, each.served.url, Path(folder) / each.name, connections=connections
                )
                read = _counted(each, "GET, cpu ms of web", found, partial(get, seconds=seconds))
                found["GET/s"][each.name].append(read.rate)
    # Half of what the slowest takes, for all of them.
    rate = min(median(rates) for rates in found["POST/s"].values()) / 2
    for number in range(rounds):
        for each in contenders if number % 2 == 0 else contenders[::-1]:
            post = _post(each, requests, seconds, connections, rate=rate)
            found["POST p99 ms at half the rate"][each.name].append(post.p99_ms)


def _post(
    each: _Contender,
    requests: Path,
    seconds: float,
    connections: int,
    found: _Found | None = None,
    rate: float = 0,
) -> Load:
    before = each.target.stored()
    send = partial(load, each.target.address, requests, connections=connections, rate=rate)
    posts = partial(send, seconds=seconds)
    seen = posts() if found is None else _counted(each, "POST, cpu ms of web", found, posts)
    settle(each.target, before + seen.answered)
    return seen


def _counted(each: _Contender, measure: str, found: _Found, run: Callable[[], Load]) -> Load:
    """Run the load, and note what the server's processes used for a request of it."""
    before = processor_seconds(each.served)
    seen = run()
    used = processor_seconds(each.served) - before
    found[measure][each.name].append(1000 * used / max(seen.answered, 1))
    return seen


def _beside_others(
    contenders: Sequence[_Contender], found: _Found, rounds: int, connections: int
) -> None:
    for each in contenders:
        found["processes, MiB"][each.name].append(memory(each.served) / _MIB)
    for _ in range(rounds):
        for each in contenders:
            path = each.chat.messages_path
            quick = partial(clients.quick, each.served.url, path, requests=_QUICK_REQUESTS)
            for slow_clients in (0, _SLOW_CLIENTS):
                seen = asyncio.run(quick(slow_clients=slow_clients))
                beside = f"beside {slow_clients} slow clients, ms"
                found[f"POST p50 {beside}"][each.name].append(seen.p50_ms)
                found[f"POST p99 {beside}"][each.name].append(seen.p99_ms)
    for _ in range(rounds):
        for each in contenders:
            stream = clients.stream(each.served.url, partial(memory, each.served))
            found["stream: first byte, ms"][each.name].append(stream.first_byte_ms)
            found["stream: MiB more"][each.name].append(stream.grown_bytes / _MIB)
    for each in contenders:
        held = partial(memory, each.served)
        idle = asyncio.run(clients.idle(each.served.url, held, connections))
        found[f"idle: still open of {connections}"][each.name].append(idle.connections)
        found["idle: KiB each"][each.name].append(idle.bytes_each / _KIB)


def _ended(name: str, processes: int, found: _Found) -> None:
    with serving(name, processes) as served:
        chat: Chat = product.new_chat(served.url)
        seen = asyncio.run(
            clients.ended(
                served.url,
                chat.messages_path,
                served.pid,
                clients=_TERM_CLIENTS,
                after=_TERM_AFTER_SECONDS,
            )
        )
    found["SIGTERM: failed"][name].append(seen.failed)
    found["SIGTERM: s until closed"][name].append(seen.seconds)


def _report(found: _Found, answers: dict[str, dict[str, str]]) -> None:
    medians = {
        measure: {name: median(values) for name, values in by_server.items()}
        for measure, by_server in found.items()
    }
    rows = [
        (fault, *(by_server[name] for name in CONTENDERS)) for fault, by_server in answers.items()
    ]
    rows += [
        (measure, *(f"{by_server[name]:.4g}" for name in CONTENDERS))
        for measure, by_server in medians.items()
    ]
    print_table(("", *CONTENDERS), rows)
    first = next(iter(CONTENDERS))
    figures = {}
    for name in CONTENDERS:
        rate = medians["POST/s"][name]
        ratio = {} if name == first else {first: rate / medians["POST/s"][first]}
        figures[f"{name}_post_rps"] = Figure(rate, "requests/s", ratio)
        figures[f"{name}_get_rps"] = Figure(medians["GET/s"][name], "requests/s")
    write("servers", figures, {"answers": answers, "rounds": found})
