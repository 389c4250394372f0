"""`memory`: what a web process holds after few requests and after very many, and the stack's peaks.

The one process of a web server of this measurement's own, on the stack's services, gets creates,
items, pages and searches of one chat; its memory is looked at after ten thousand requests and at
the end: its own, without pages that it shares (USS), so nobody else's start or end shows in it.
Then the stack itself gets the same load for a while, and what all processes of its web part and of
its worker part hold together is looked at meanwhile; pages that they share count once (PSS).
"""

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from bench import product, stack
from bench.client import Client
from bench.database import Database
from bench.errors import BenchError
from bench.mixture import EXISTING, mixture
from bench.processes import bytes_held, family
from bench.product import Chat
from bench.reads.asked import short
from bench.report import Figure, print_table, write
from bench.requests import write_mixed
from bench.servers import product_server
from bench.services import services
from bench.texts import bodies
from bench.verification import until_complete
from bench.wrk import Load, mixed_load

_FIRST_LOOK = 10_000
_LONGEST_RUN_SECONDS = 20.0
_EVERY_SECONDS = 0.5
_STORED_SECONDS = 300.0
_MIB = 2**20
_PARTS = ("web", "worker")


@dataclass(frozen=True)
class Held:
    """After so many requests a process held so much."""

    requests: int
    mib: float


def memory(*, requests: int, seconds: float, connections: int) -> None:
    """Measure and report. Raises BenchError when a request failed, or a create is not stored."""
    if requests <= _FIRST_LOOK:
        raise BenchError(f"more than {_FIRST_LOOK} requests are needed")
    places = services()
    database = Database(places.database_url)
    chat = product.new_chat(places.base_url)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requests"
        write_mixed(file, mixture(chat.messages_path))
        _say_existing(places.base_url, chat)
        seen = _of_a_web_process(file, requests, connections)
        until_complete(database, chat, _STORED_SECONDS)
        peaks = _peaks(places.base_url, file, seconds, connections)
        until_complete(database, chat, _STORED_SECONDS)
    _report(requests, seen, peaks)


def _say_existing(base_url: str, chat: Chat) -> None:
    """The messages that are read."""
    with Client(base_url) as client:
        messages = [{"body": body} for body in bodies(EXISTING)]
        client.create(f"{chat.messages_path}/bulk", messages=messages)


def _of_a_web_process(file: Path, requests: int, connections: int) -> list[Held]:
    settings = {"WEB_CONCURRENCY": "1", "REQUIRE_KEYS": "0", "RATE_LIMIT": ""}
    with product_server("memory", settings) as served:
        loads = _loads(served.url, file, requests, connections)
        return [Held(done, _largest(served.pid)) for done in loads]


def _loads(base_url: str, file: Path, requests: int, connections: int) -> Iterator[int]:
    """Requests answered so far: at least the first look's at first, at least `requests` at last."""
    done, rate = 0, float(_FIRST_LOOK)
    for goal in (_FIRST_LOOK, requests):
        while done < goal:
            lasting = min(max((goal - done) / rate, 1.0), _LONGEST_RUN_SECONDS)
            load = _checked(mixed_load(base_url, file, connections=connections, seconds=lasting))
            done, rate = done + load.answered, load.rate
            if done >= _FIRST_LOOK:
                yield done


def _checked(load: Load) -> Load:
    if load.refused or load.broken or not load.answered:
        raise BenchError(f"not every request was answered well: {load}")
    return load


def _largest(pid: int) -> float:
    """MiB of the largest of this process and its children: the one that serves."""
    return max(float(process.memory_full_info().uss) for process in family(pid)) / _MIB


def _peaks(base_url: str, file: Path, seconds: float, connections: int) -> dict[str, float]:
    pids = {name: stack.part(name).pids for name in _PARTS}
    if not all(pids.values()):
        raise BenchError("the stack's web server and workers do not run on this machine")
    with ThreadPoolExecutor(1) as pool:
        running_load = pool.submit(
            mixed_load, base_url, file, connections=connections, seconds=seconds
        )
        peaks = dict.fromkeys(_PARTS, 0.0)
        while not _is_over(running_load):
            peaks = {name: max(peaks[name], _together(pids[name])) for name in _PARTS}
        _checked(running_load.result())
    return peaks


def _is_over(load: "Future[Load]") -> bool:
    return bool(wait([load], timeout=_EVERY_SECONDS).done)


def _together(pids: Sequence[int]) -> float:
    """MiB of these processes and of all that they have started by now."""
    return sum(map(bytes_held, set(chain.from_iterable(map(family, pids))))) / _MIB


def _report(requests: int, seen: Sequence[Held], peaks: dict[str, float]) -> None:
    first, last = seen[0], seen[-1]
    highest = max(each.mib for each in seen)
    growth = last.mib / first.mib
    print("memory of one web process that gets creates, items, pages and searches")
    print_table(
        ("requests", "MiB", "/ first"),
        [(str(each.requests), f"{each.mib:.1f}", f"{each.mib / first.mib:.3f}") for each in seen],
    )
    print(
        f"peaks of the stack: {', '.join(f'{name} {mib:.0f} MiB' for name, mib in peaks.items())}"
    )
    figures = {
        f"web_memory_after_{short(_FIRST_LOOK)}_requests": Figure(first.mib, "MiB"),
        f"web_memory_after_{short(requests)}_requests": Figure(
            last.mib, "MiB", {"after_10k": growth}
        ),
        "web_memory_highest": Figure(highest, "MiB", {"after_10k": highest / first.mib}),
        **{f"peak_{name}_mib": Figure(mib, "MiB") for name, mib in peaks.items()},
    }
    write("memory", figures, {"seen": [asdict(each) for each in seen]})
