"""`item`: reads a second over many connections, of messages and of pages anywhere in a long chat.

Three loads in turns: messages, the same by clients that have them already (If-None-Match, answered
304), and pages of fifty behind a cursor. wrk does not look into answers, so what is answered to
each of the loads is looked at before.
"""

import http.client
import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench.client import Answer, Client
from bench.database import Database
from bench.errors import BenchError
from bench.filling import filled
from bench.product import Chat
from bench.reads.asked import PAGE
from bench.report import Figure, print_table, write
from bench.requests import Request, write_mixed
from bench.services import services
from bench.wrk import Load, mixed_load

_DIFFERENT = 20_000
_LOOKED_AT = 50
_WARM_UP_SECONDS = 3.0
_ITEM, _KNOWN, _LIST = "get_item", "get_item_304", "get_list"

Loads = dict[str, list[Load]]


@dataclass(frozen=True)
class _Target:
    """What is asked for, as paths, and by clients that have which version of it."""

    name: str
    paths: Sequence[str]
    tag: str = ""


def items(*, messages: int, seconds: float, rounds: int, connections: int) -> None:
    """Measure and report. Raises BenchError when an answer is not what it should be."""
    if messages < PAGE:
        raise BenchError(f"a page has {PAGE} messages, so there must be as many")
    places = services()
    database = Database(places.database_url)
    with filled(database, chats=1, messages=messages) as token:
        targets = _targets(places.base_url, Chat(token, 1).messages_path, messages)
        loads = _in_turns(targets, places.base_url, seconds, rounds, connections)
    _report(messages, connections, loads)


def _targets(base_url: str, path: str, messages: int) -> list[_Target]:
    numbers = random.choices(range(1, messages + 1), k=_DIFFERENT)
    firsts = random.choices(range(1, messages - PAGE + 2), k=_DIFFERENT)
    with Client(base_url) as client:
        tag = _the_tag(client, path, numbers[:_LOOKED_AT])
        _look_at_known(client, path, numbers[:_LOOKED_AT], tag)
        _look_at_pages(client, path, firsts[:_LOOKED_AT])
    of_items = [f"{path}/{number}" for number in numbers]
    return [
        _Target(_ITEM, of_items),
        _Target(_KNOWN, of_items, tag),
        _Target(_LIST, [f"{path}?after={first - 1}" for first in firsts]),
    ]


def _the_tag(client: Client, path: str, numbers: Sequence[int]) -> str:
    """The tag that all of them have, since none was ever edited."""
    tags = set()
    for number in numbers:
        answer = client.fetch(f"{path}/{number}")
        _expect(answer, http.client.OK, number, json.loads(answer.content).get("message_number"))
        tags.add(answer.tag)
    if len(tags) != 1:
        raise BenchError(f"messages that nobody has edited have different tags: {tags}")
    return str(tags.pop())


def _look_at_known(client: Client, path: str, numbers: Sequence[int], tag: str) -> None:
    for number in numbers:
        answer = client.fetch(f"{path}/{number}", known=tag)
        _expect(answer, http.client.NOT_MODIFIED, b"", answer.content)


def _look_at_pages(client: Client, path: str, firsts: Sequence[int]) -> None:
    for first in firsts:
        answer = client.fetch(f"{path}?after={first - 1}")
        shown = [each["message_number"] for each in json.loads(answer.content).get("results", [])]
        _expect(answer, http.client.OK, list(range(first, first + PAGE)), shown)


def _expect(answer: Answer, status: int, expected: object, found: object) -> None:
    if answer.status != status or found != expected:
        raise BenchError(f"answered {answer.status} with {found!r}, not {status} with {expected!r}")


def _in_turns(
    targets: Sequence[_Target], base_url: str, seconds: float, rounds: int, connections: int
) -> Loads:
    loads: Loads = {target.name: [] for target in targets}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(-1, rounds):
            is_warm_up = number < 0
            # Who comes first changes, so that nobody always follows the same rival.
            for target in targets if number % 2 else targets[::-1]:
                file = Path(folder) / target.name
                write_mixed(file, [Request("GET", path) for path in target.paths])
                lasting = _WARM_UP_SECONDS if is_warm_up else seconds
                load = mixed_load(
                    base_url, file, connections=connections, seconds=lasting, known=target.tag
                )
                if load.refused or load.broken:
                    raise BenchError(f"{target.name}: {load.refused + load.broken} reads failed")
                if not is_warm_up:
                    loads[target.name].append(load)
    return loads


def _report(messages: int, connections: int, loads: Loads) -> None:
    rates = {name: median(load.rate for load in of) for name, of in loads.items()}
    p50s = {name: median(load.p50_ms for load in of) for name, of in loads.items()}
    p99s = {name: median(load.p99_ms for load in of) for name, of in loads.items()}
    costs = {name: median(load.processor_ms for load in of) for name, of in loads.items()}
    print(f"a chat of {messages} messages, {connections} connections; pages of {PAGE}")
    print_table(
        ("", "reads/s", "p50 ms", "p99 ms", "cpu ms/read", "/ item"),
        [
            (
                name,
                f"{rates[name]:.0f}",
                f"{p50s[name]:.1f}",
                f"{p99s[name]:.1f}",
                f"{costs[name]:.2f}",
                f"{rates[name] / rates[_ITEM]:.2f}",
            )
            for name in loads
        ],
    )
    figures: dict[str, Figure] = {}
    for name, rate in rates.items():
        ratio = {} if name == _ITEM else {"get_item": rate / rates[_ITEM]}
        figures[f"{name}_rps"] = Figure(rate, "requests/s", ratio)
        figures[f"{name}_p50_ms"] = Figure(p50s[name], "ms")
        figures[f"{name}_p99_ms"] = Figure(p99s[name], "ms")
    runs = {name: [asdict(load) for load in of] for name, of in loads.items()}
    write("item", figures, {"messages": messages, "runs": runs})
