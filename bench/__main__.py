"""`python -m bench`: the command line. Needs the stack that is up, and its environment."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django

from bench.errors import BenchError


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
    command = commands.add_parser("post", help="messages accepted, beside the other designs")
    command.add_argument("--seconds", type=float, default=20, help="of each round")
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--connections", type=int, default=64)
    command.add_argument(
        "--threads", type=_sizes, default=[16, 32, 64], metavar="N,N", help="tried for each rival"
    )
    command.add_argument(
        "--steady-seconds", type=float, default=60, help="for which it must be sustained"
    )
    command.add_argument(
        "--clients", type=_sizes, default=[1, 4, 16, 64, 256], metavar="N,N", help="of the curve"
    )
    command.set_defaults(measure=_post)

    command = commands.add_parser("profile", help="where the processor time of a message goes")
    command.add_argument("--seconds", type=float, default=15, help="of each look")
    command.add_argument("--connections", type=int, default=64)
    command.add_argument("--textbook-threads", type=int, default=32, help="of each process")
    command.set_defaults(measure=_profile)

    command = commands.add_parser("all", help="everything, and docs/performance.md anew")
    command.add_argument("--quick", action="store_true", help="with less of everything")
    command.set_defaults(measure=_all)

    command = commands.add_parser("summary", help="docs/performance.md from what was measured last")
    command.set_defaults(measure=_summary)

    command = commands.add_parser("lone", help="latency of one client, beside a plain DRF view")
    command.add_argument("--requests", type=int, default=500, help="to each of the two")
    command.set_defaults(measure=_lone)

    command = commands.add_parser("contract", help="what keys, idempotency and limits cost")
    command.add_argument("--seconds", type=float, default=10, help="of each round")
    command.add_argument("--rounds", type=int, default=5)
    command.add_argument("--connections", type=int, default=64)
    command.set_defaults(measure=_contract)

    command = commands.add_parser("servers", help="web servers, and numbers of threads, compared")
    command.add_argument("--seconds", type=float, default=6, help="of each round")
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--connections", type=int, default=64)
    command.set_defaults(measure=_servers)

    command = commands.add_parser("drain", help="rows a second that a worker stores")
    command.add_argument("--rows", type=int, default=100_000)
    command.add_argument("--per-task", type=_sizes, default=[20, 200], metavar="N,N")
    command.add_argument(
        "--manage-worker", action="store_true", help="stop and start the stack's worker"
    )
    command.set_defaults(measure=_drain)
    _add_readers(commands)
    return parser


def _add_readers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Those that measure searching and the admin."""
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

    command = commands.add_parser("admin", help="each page of the admin, over a large table")
    command.add_argument("--messages", type=int, default=1_000_000, help="in the table, at least")
    command.add_argument("--rounds", type=int, default=20)
    command.set_defaults(measure=_admin)


def _sizes(text: str) -> list[int]:
    return [int(size) for size in text.split(",")]


def _post(**arguments: Any) -> None:
    from bench.accepting.post import post

    post(**arguments)


def _profile(**arguments: Any) -> None:
    from bench.profile.running import profile

    profile(**arguments)


def _all(*, quick: bool) -> None:
    from bench.summary.everything import everything

    everything(quick=quick)


def _summary() -> None:
    from bench.summary.everything import summary

    summary()


def _lone(requests: int) -> None:
    _set_up_the_product()
    from bench.lone import lone

    lone(requests=requests)


def _servers(**arguments: Any) -> None:
    from bench.servers_compared import servers

    servers(**arguments)


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


def _admin(messages: int, rounds: int) -> None:
    _set_up_the_product()
    from bench.admin.measuring import admin

    admin(messages=messages, rounds=rounds)


def _set_up_the_product() -> None:
    """Its settings and models, for what is taken from its own code."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "chatsystem.settings"
    django.setup()


if __name__ == "__main__":
    sys.exit(main())
