"""Measure the speed of this system. Needs the local stack running, and `scripts/stack env` set.

Each measurement prints a table, and puts its figures into bench/results/latest.json. `all` runs
those that have a budget, one after the other, and writes docs/performance.md. Nothing else should
run on the machine.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any

from bench import BenchError, results
from bench.commands import COMMANDS, MEANINGS, Command, Value
from bench.report import Results


class _OverBudget(SystemExit):
    """The time of a measurement is up. As an exit, it passes through everything on its way."""


def main() -> int:
    """Run one command; 0 when it measured and what it checked was right."""
    # As an exception, so that child processes are ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    given = vars(_parser().parse_args())
    name, quick = given.pop("command"), given.pop("quick", False)
    os.environ["DJANGO_SETTINGS_MODULE"] = "chatsystem.settings"
    import django

    django.setup()
    try:
        if name == "all":
            _all(quick=quick)
        elif name == "summary":
            _summarize()
        else:
            _run(name, _values(COMMANDS[name], given, quick=quick), quick=quick)
    except (BenchError, OSError, subprocess.CalledProcessError) as error:
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
    everything = commands.add_parser("all", help="those with a budget, and docs/performance.md")
    everything.add_argument("--quick", action="store_true", help="some of them, in minutes")
    for name, command in COMMANDS.items():
        shown = f"{command.help} ({_budget_text(command)})"
        own = commands.add_parser(name, help=shown, description=shown)
        own.add_argument("--quick", action="store_true", help="use the quick values of options")
        for option, (default, quick) in command.options.items():
            kind = _numbers if isinstance(default, tuple) else type(default)
            shown = f"{MEANINGS[option]} ({_text(default)}, quick {_text(quick)})"
            own.add_argument(f"--{option.replace('_', '-')}", type=kind, metavar="N", help=shown)
    commands.add_parser("summary", help="docs/performance.md from the latest results")
    return parser


def _budget_text(command: Command) -> str:
    full, quick = command.budget, command.quick_budget
    if full is None:
        return "not in `all`"
    return f"at most {full} s" + ("" if quick is None else f", quick {quick} s")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _text(value: Value) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _values(command: Command, given: Mapping[str, Any], *, quick: bool) -> dict[str, Value]:
    """The value of each option: as given, else its default."""
    defaults = {name: pair[quick] for name, pair in command.options.items()}
    return {
        name: default if given.get(name) is None else given[name]
        for name, default in defaults.items()
    }


def _run(name: str, values: Mapping[str, Value], *, quick: bool) -> None:
    """Measure, and keep the results. A measurement without results only prepares the others."""
    of_commit = results.commit()
    found: Results | None = _function(COMMANDS[name].place)(**values)
    if found:
        results.write(name, found, of_commit, is_quick=quick)


def _summarize() -> None:
    _function("summary:summary")()


def _function(place: str) -> Callable[..., Any]:
    """The function of a module. Not imported before Django is set up: some use its models."""
    module, _, function = place.partition(":")
    found: Callable[..., Any] = getattr(import_module(f"bench.{module}"), function)
    return found


def _all(*, quick: bool) -> None:
    """Run those with a budget, each within it, then write the page, also when interrupted.

    One that fails or takes too long leaves its older figures in place, and the others their turn.
    """
    failed = []
    try:
        for name, command in COMMANDS.items():
            budget = command.quick_budget if quick else command.budget
            if budget is None:
                continue
            print(f"--- {name}, at most {budget} s", flush=True)
            began = time.monotonic()
            try:
                with _within(budget):
                    _run(name, _values(command, {}, quick=quick), quick=quick)
            except (Exception, _OverBudget) as error:  # noqa: BLE001 - of whatever kind
                print(f"bench: {name}: {error}", file=sys.stderr, flush=True)
                failed.append(name)
            print(f"--- {name}: {time.monotonic() - began:.0f} s", flush=True)
    finally:
        _summarize()
    if failed:
        raise BenchError(f"failed: {', '.join(failed)}")


@contextmanager
def _within(seconds: int) -> Iterator[None]:
    """Raise _OverBudget in the block when the time is up."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise _OverBudget(f"took more than its budget of {seconds} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    sys.exit(main())
