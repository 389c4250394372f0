"""`python -m bench`: the command line. Needs the stack that is up, and its environment."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from typing import TypeAlias

import django

from bench.errors import BenchError

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main() -> int:
    """Run one measurement; 0 when it was made and what it checked was true."""
    # As an exception, so that the children are ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    arguments = vars(_parser().parse_args())
    measure: Callable[..., None] = arguments.pop("measure")
    try:
        measure(**arguments)
    except (BenchError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("post", help="messages accepted a second, and the textbook's")
    command.add_argument("--seconds", type=float, default=20, help="of each round")
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--connections", type=int, default=64)
    command.add_argument("--textbook-threads", type=int, default=32, help="of each process")
    command.set_defaults(measure=_post)

    command = commands.add_parser("lone", help="latency of one client, beside a plain DRF view")
    command.add_argument("--requests", type=int, default=500, help="to each of the two")
    command.set_defaults(measure=_lone)

    command = commands.add_parser("contract", help="what keys, idempotency and limits cost")
    command.add_argument("--seconds", type=float, default=10, help="of each round")
    command.add_argument("--rounds", type=int, default=5)
    command.add_argument("--connections", type=int, default=64)
    command.set_defaults(measure=_contract)

    command = commands.add_parser("drain", help="rows a second that a worker stores")
    command.add_argument("--rows", type=int, default=100_000)
    command.add_argument("--per-task", type=_sizes, default=[20, 200], metavar="N,N")
    command.add_argument(
        "--manage-worker", action="store_true", help="stop and start the stack's worker"
    )
    command.set_defaults(measure=_drain)

    command = commands.add_parser("analyses", help="ways to index for substring search, compared")
    command.add_argument("--messages", type=int, default=100_000)
    command.add_argument("--rounds", type=int, default=3)
    command.set_defaults(measure=_analyses)

    command = commands.add_parser("search", help="a search in one chat, by the index's size")
    command.add_argument("--sizes", type=_sizes, default=[10_000, 100_000, 1_000_000])
    command.add_argument("--rounds", type=int, default=3)
    command.set_defaults(measure=_search)

    command = commands.add_parser("freshness", help="how soon a message is found")
    command.add_argument("--messages", type=int, default=60)
    command.set_defaults(measure=_freshness)
    _add_reads(commands)
    _add_processes(commands)
    return parser


def _add_reads(commands: Commands) -> None:
    command = commands.add_parser("list", help="a page of a long chat, by where in it")
    command.add_argument("--messages", type=int, default=1_000_000, help="of the chat")
    command.add_argument("--turns", type=int, default=200, help="in each every page is asked once")
    command.set_defaults(measure=_list)

    command = commands.add_parser("item", help="reads a second of items and of pages")
    command.add_argument("--messages", type=int, default=1_000_000, help="of the chat")
    command.add_argument("--seconds", type=float, default=10, help="of each round")
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--connections", type=int, default=64)
    command.set_defaults(measure=_item)

    command = commands.add_parser("counts", help="the count job, by how many chats are flagged")
    command.add_argument("--chats", type=int, default=20_000)
    command.add_argument("--messages", type=int, default=50, help="of each chat")
    command.add_argument("--rounds", type=int, default=3)
    command.set_defaults(measure=_counts)


def _add_processes(commands: Commands) -> None:
    command = commands.add_parser("memory", help="of the web server and the workers")
    command.add_argument("--requests", type=int, default=1_000_000, help="to one web process")
    command.add_argument("--seconds", type=float, default=20, help="of load on the stack")
    command.add_argument("--connections", type=int, default=64)
    command.set_defaults(measure=_memory)

    command = commands.add_parser("embedded", help="messages accepted a second on SQLite")
    command.add_argument("--seconds", type=float, default=10, help="of each round")
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--connections", type=int, default=64)
    command.set_defaults(measure=_embedded)


def _sizes(text: str) -> list[int]:
    return [int(size) for size in text.split(",")]


def _post(**arguments: int) -> None:
    from bench.post import post

    post(**arguments)


def _lone(requests: int) -> None:
    _set_up_the_product()
    from bench.lone import lone

    lone(requests=requests)


def _contract(**arguments: int) -> None:
    from bench.contract import contract

    contract(**arguments)


def _drain(rows: int, per_task: list[int], *, manage_worker: bool) -> None:
    _set_up_the_product()
    from bench.drain import drain

    drain(rows=rows, per_task=per_task, manage_worker=manage_worker)


def _analyses(messages: int, rounds: int) -> None:
    from bench.search.analyses import analyses

    analyses(messages=messages, rounds=rounds)


def _search(sizes: list[int], rounds: int) -> None:
    _set_up_the_product()
    from bench.search.latency import latency

    latency(sizes=sizes, rounds=rounds)


def _freshness(messages: int) -> None:
    from bench.search.freshness import freshness

    freshness(messages=messages)


def _list(messages: int, turns: int) -> None:
    _set_up_the_product()
    from bench.reads.pages import pages

    pages(messages=messages, turns=turns)


def _item(messages: int, seconds: float, rounds: int, connections: int) -> None:
    _set_up_the_product()
    from bench.reads.items import items

    items(messages=messages, seconds=seconds, rounds=rounds, connections=connections)


def _counts(**arguments: int) -> None:
    _set_up_the_product()
    from bench.counts import counts

    counts(**arguments)


def _memory(requests: int, seconds: float, connections: int) -> None:
    from bench.memory import memory

    memory(requests=requests, seconds=seconds, connections=connections)


def _embedded(seconds: float, rounds: int, connections: int) -> None:
    from bench.embedded import embedded

    embedded(seconds=seconds, rounds=rounds, connections=connections)


def _set_up_the_product() -> None:
    """Its settings and models, for what is taken from its own code."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "chatsystem.settings"
    django.setup()


if __name__ == "__main__":
    sys.exit(main())
