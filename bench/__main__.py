"""Measure the speed of this system. Needs the local stack running, and `scripts/stack env` set.

Each measurement prints a table, and writes bench/results/NAME.json. `all` runs them one after the
other and writes docs/performance.md from their results. Nothing else should run on the machine.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from bench import BenchError
from bench.processes import ROOT

Value = float | tuple[int, ...]


@dataclass(frozen=True)
class Command:
    """A measurement: module and function, and by option the default and the value of --quick."""

    place: str
    help: str
    options: Mapping[str, tuple[Value, Value]]


def _rounds(seconds: float = 10.0, rounds: int = 3) -> dict[str, tuple[Value, Value]]:
    return {"seconds": (seconds, 3.0), "rounds": (rounds, 1), "connections": (64, 64)}


_CONNECTIONS: dict[str, tuple[Value, Value]] = {"connections": (64, 64)}
_CHAT: dict[str, tuple[Value, Value]] = {"messages": (1_000_000, 100_000)}

_MEANINGS: Mapping[str, str] = {
    "seconds": "of load in each round",
    "rounds": "in which each is measured once",
    "connections": "of wrk",
    "threads": "tried for each design that has threads",
    "steady": "seconds for which a rate must be sustained",
    "clients": "of the curve",
    "processes": "of each server",
    "rows": "in each backlog",
    "per_task": "rows in each task message",
    "messages": "in each chat",
    "turns": "in which each page is asked for once",
    "sizes": "messages in each index",
    "chats": "in all",
    "streams": "open at the same time",
    "requests": "to one web process, more than 10,000",
}

#: What `all --quick` runs.
IN_QUICK = ("warm", "post", "profile", "drain", "list", "search", "counts")

COMMANDS: Mapping[str, Command] = {
    "warm": Command(
        "accepting:warm",
        "load on this system until its services have warmed up",
        {"seconds": (90.0, 30.0), **_CONNECTIONS},
    ),
    "post": Command(
        "accepting:post",
        "messages accepted a second, beside other designs with the best of these threads",
        {
            **_rounds(),
            "rounds": (3, 3),
            "threads": ((4, 16, 32, 64), (32,)),
            "steady": (60.0, 10.0),
            "clients": ((1, 4, 16, 64, 256), (1, 16, 64)),
        },
    ),
    "profile": Command(
        "profiling:profile",
        "where the processor time of a message goes",
        {"seconds": (15.0, 5.0), **_CONNECTIONS},
    ),
    "servers": Command(
        "web_servers:servers",
        "this system behind several HTTP servers with these processes",
        {**_rounds(6.0), "processes": (2, 2)},
    ),
    "drain": Command(
        "drain:drain",
        "rows of a backlog that a worker stores a second; stops the stack's worker meanwhile",
        {"rows": (100_000, 40_000), "per_task": ((20, 200), (200,)), "rounds": (3, 1)},
    ),
    "contract": Command(
        "web_servers:contract", "what keys, idempotency and limits cost", _rounds(rounds=5)
    ),
    "log": Command("log_cost:log", "what the log of events costs a create", _rounds(rounds=5)),
    "list": Command(
        "reads:pages",
        "a page of a long chat, by where it lies",
        {**_CHAT, "turns": (200, 50)},
    ),
    "item": Command("reads:items", "messages and pages read a second", {**_CHAT, **_rounds()}),
    "search": Command(
        "search:search",
        "a search in one chat, by the number of messages in the index",
        {"sizes": ((10_000, 100_000, 1_000_000), (10_000, 100_000)), "rounds": (3, 1)},
    ),
    "streams": Command(
        "streams:streams",
        "time from an answered create to its frame, with so many open streams; beside polling",
        {"seconds": (30.0, 10.0), "streams": (1000, 200), **_CONNECTIONS},
    ),
    "listeners": Command(
        "streams:listeners",
        "many listeners of one chat with ten messages a second",
        {"seconds": (30.0, 10.0), "streams": (1000, 200)},
    ),
    "idle": Command(
        "streams:idle",
        "idle streams of one web process: memory, processor time, opening, ending",
        {"seconds": (60.0, 10.0), "streams": (10_000, 1000)},
    ),
    "counts": Command(
        "counts:counts",
        "the count job, by the share of chats that are flagged",
        {"chats": (20_000, 2000), "messages": (50, 50), "rounds": (3, 1)},
    ),
    "embedded": Command(
        "web_servers:embedded", "messages accepted a second by the embedded profile", _rounds()
    ),
    "memory": Command(
        "web_servers:memory",
        "memory of a web process after these requests",
        {"requests": (1_000_000, 30_000), **_CONNECTIONS},
    ),
}


def main() -> int:
    """Run one command; 0 when it measured and what it checked was right."""
    # As an exception, so that child processes are ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    given = vars(_parser().parse_args())
    name, quick = given.pop("command"), given.pop("quick", False)
    try:
        if name == "all":
            _all(quick=quick)
        elif name == "summary":
            _call("summary:summary", {"commands": tuple(COMMANDS)})
        else:
            _call(COMMANDS[name].place, _values(COMMANDS[name], given, quick=quick))
    except (BenchError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    everything = commands.add_parser("all", help="all of these, and docs/performance.md")
    everything.add_argument("--quick", action="store_true", help="some of them, in minutes")
    for name, command in COMMANDS.items():
        own = commands.add_parser(name, help=command.help, description=command.help)
        own.add_argument("--quick", action="store_true", help="use the quick values of options")
        for option, (default, quick) in command.options.items():
            kind = _numbers if isinstance(default, tuple) else type(default)
            shown = f"{_MEANINGS[option]} ({_text(default)}, quick {_text(quick)})"
            own.add_argument(f"--{option.replace('_', '-')}", type=kind, metavar="N", help=shown)
    commands.add_parser("summary", help="docs/performance.md from the results of the last runs")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _text(value: Value) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _values(command: Command, given: Mapping[str, Any], *, quick: bool) -> dict[str, Value]:
    """The value of each option: as given, else its default."""
    defaults = {name: pair[quick] for name, pair in command.options.items()}
    return {
        name: default if given[name] is None else given[name] for name, default in defaults.items()
    }


def _call(place: str, arguments: Mapping[str, Any]) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "chatsystem.settings"
    import django

    django.setup()
    # Not before: some modules import models of the product.
    module, _, function = place.partition(":")
    getattr(import_module(f"bench.{module}"), function)(**arguments)


def _all(*, quick: bool) -> None:
    """Run each measurement in a process of its own. One that fails leaves the others their turn."""
    failed = []
    for name in IN_QUICK if quick else COMMANDS:
        arguments = [name, "--quick"] if quick else [name]
        print(f"--- {' '.join(arguments)}", flush=True)
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "bench", *arguments], cwd=ROOT, check=False)
        print(f"--- {name}: {time.monotonic() - began:.0f} s", flush=True)
        if done.returncode:
            failed.append(name)
    _call("summary:summary", {"commands": tuple(COMMANDS)})
    if failed:
        raise BenchError(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    sys.exit(main())
