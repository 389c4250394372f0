"""The measurements by the names of their commands, and what each may be told."""

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Option:
    """`--name`, of the type of its default; a list of integers is given as `N,N`."""

    name: str
    default: Any
    help: str = ""

    def add_to(self, parser: ArgumentParser) -> None:
        """Let it be given."""
        flag = f"--{self.name.replace('_', '-')}"
        if isinstance(self.default, bool):
            parser.add_argument(flag, action="store_true", help=self.help)
        elif isinstance(self.default, list):
            parser.add_argument(
                flag, type=_numbers, default=self.default, metavar="N,N", help=self.help
            )
        else:
            kind = type(self.default)
            parser.add_argument(flag, type=kind, default=self.default, help=self.help)


@dataclass(frozen=True)
class Command:
    """`place`: module and function that measure. `in_product`: they use the product's own code."""

    place: str
    help: str
    options: Sequence[Option] = ()
    in_product: bool = False


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


_CONNECTIONS = Option("connections", 64, "of wrk")
_OF_CHAT = Option("messages", 1_000_000, "of the chat")


def _rounds(seconds: float, rounds: int = 3) -> Sequence[Option]:
    return (Option("seconds", seconds, "of each round"), Option("rounds", rounds), _CONNECTIONS)


COMMANDS: Mapping[str, Command] = {
    "all": Command(
        "bench.summary.everything:everything",
        "everything, and docs/performance.md anew",
        (Option("quick", False, "with less of everything"),),
    ),
    "summary": Command(
        "bench.summary.everything:summary", "docs/performance.md from what was measured last"
    ),
    "warm": Command(
        "bench.accepting.warming:warm",
        "load on this system before anything is measured",
        (Option("seconds", 90.0), _CONNECTIONS),
    ),
    "post": Command(
        "bench.accepting.post:post",
        "messages accepted, beside the other designs",
        (
            *_rounds(20.0),
            Option("threads", [4, 16, 32, 64], "tried for each rival that has threads"),
            Option("steady_seconds", 60.0, "for which it must be sustained"),
            Option("clients", [1, 4, 16, 64, 256], "of the curve"),
        ),
    ),
    "profile": Command(
        "bench.profile.running:profile",
        "where the processor time of a message goes",
        (
            Option("seconds", 15.0, "of each look"),
            _CONNECTIONS,
            Option("textbook_threads", 32, "of each process"),
        ),
    ),
    "lone": Command(
        "bench.lone:lone",
        "latency of one client, beside a plain DRF view",
        (Option("requests", 500, "to each of the two"),),
        in_product=True,
    ),
    "servers": Command(
        "bench.servers_compared.running:servers",
        "this system on several HTTP servers, compared",
        (*_rounds(6.0), Option("processes", 2, "of each server")),
    ),
    "contract": Command(
        "bench.contract:contract", "what keys, idempotency and limits cost", _rounds(10.0, 5)
    ),
    "drain": Command(
        "bench.drain:drain",
        "rows a second that a worker stores",
        (
            Option("rows", 100_000),
            Option("per_task", [20, 200]),
            Option("rounds", 3),
            Option("manage_worker", False, "stop and start the stack's worker"),
        ),
        in_product=True,
    ),
    "list": Command(
        "bench.reads.pages:pages",
        "a page of a long chat, by where in it",
        (_OF_CHAT, Option("turns", 200, "in each every page is asked once")),
        in_product=True,
    ),
    "item": Command(
        "bench.reads.items:items",
        "reads a second of items and of pages",
        (_OF_CHAT, *_rounds(10.0)),
        in_product=True,
    ),
    "counts": Command(
        "bench.counts:counts",
        "the count job, by how many chats are flagged",
        (Option("chats", 20_000), Option("messages", 50, "of each chat"), Option("rounds", 3)),
        in_product=True,
    ),
    "memory": Command(
        "bench.memory:memory",
        "of the web server and the workers",
        (
            Option("requests", 1_000_000, "to one web process"),
            Option("seconds", 20.0, "of load on the stack"),
            _CONNECTIONS,
        ),
    ),
    "embedded": Command(
        "bench.embedded:embedded", "messages accepted a second on SQLite", _rounds(10.0)
    ),
    "admin": Command(
        "bench.admin.measuring:admin",
        "each page of the admin, over a large table",
        (Option("messages", 1_000_000, "in the table, at least"), Option("rounds", 20)),
        in_product=True,
    ),
    "search": Command(
        "bench.search.latency:latency",
        "a search in one chat, by the index's size",
        (Option("sizes", [10_000, 100_000, 1_000_000]), Option("rounds", 3)),
        in_product=True,
    ),
    "analyses": Command(
        "bench.search.analyses:analyses",
        "ways to index for substring search, compared",
        (Option("messages", 100_000), Option("rounds", 3)),
    ),
    "freshness": Command(
        "bench.search.freshness:freshness", "how soon a message is found", (Option("messages", 60),)
    ),
}
