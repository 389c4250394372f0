"""The command line of scripts/stack.

A command that fails says why in one sentence and ends with status 1. Those that change something
take the stack's lock; the others only look.
"""

import argparse
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence

from localstack.errors import StackError
from localstack.layout import Layout, find_layout
from localstack.lock import exclusive
from localstack.parts import Part
from localstack.settings import DEFAULT_HEAP, Options, load_existing

PART_COMMANDS = {
    "start": "start or resume a part; ready when it returns",
    "stop": "SIGTERM and a graceful drain; stays down until start",
    "kill": "SIGKILL to every process of a part; stays down until start",
    "pause": "SIGSTOP to every process of a part",
    "resume": "SIGCONT to every process of a part",
    "wipe": "kill a part and remove its data; stays down until start",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        status = COMMANDS[arguments.command](find_layout(), arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except StackError as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _up(layout: Layout, arguments: argparse.Namespace) -> int:
    from localstack.up import up

    options = Options(
        port=arguments.port,
        web=arguments.web,
        workers=arguments.workers,
        extra=dict(arguments.set),
        elasticsearch_heap=os.environ.get("STACK_ES_HEAP", DEFAULT_HEAP),
        path=os.environ.get("STACK_PATH", ""),
    )
    layout.check()
    with exclusive(layout.lock_file):
        settings = up(layout, options)
    print(f"ready on http://127.0.0.1:{settings.ports.web} (data and logs in {layout.state})")
    return 0


def _down(layout: Layout, arguments: argparse.Namespace) -> int:
    from localstack.down import down, reset

    if not layout.state.exists():
        down(layout)
        return 0
    with exclusive(layout.lock_file):
        (reset if arguments.command == "reset" else down)(layout)
    return 0


def _status(layout: Layout, arguments: argparse.Namespace) -> int:
    from localstack.status import State, status

    parts = status(layout)
    if arguments.json:
        print(json.dumps([part.as_dict() for part in parts], indent=1))
    else:
        print("\n".join(part.as_line() for part in parts))
    return 0 if all(part.state is State.RUNNING for part in parts) else 1


def _env(layout: Layout, _arguments: argparse.Namespace) -> int:
    from localstack import environment

    settings = load_existing(layout.settings_file)
    for name, value in environment.application(settings).items():
        print(f"{name}={shlex.quote(value)}")
    return 0


def _one_part(layout: Layout, arguments: argparse.Namespace) -> int:
    from localstack import one_part

    load_existing(layout.settings_file)
    with exclusive(layout.lock_file):
        getattr(one_part, arguments.command)(layout, Part(arguments.part))
    return 0


COMMANDS: dict[str, Callable[[Layout, argparse.Namespace], int]] = {
    "up": _up,
    "down": _down,
    "reset": _down,
    "status": _status,
    "env": _env,
    **dict.fromkeys(PART_COMMANDS, _one_part),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/stack", description="The production topology on this machine."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="everything runs and is ready when it returns")
    up.add_argument("--port", type=_between(0, 65535), default=8000, help="0: any free one")
    up.add_argument("--web", type=_between(1, 64), default=2, help="web processes")
    up.add_argument(
        "--workers", type=_between(1, 64), default=1, help="workers that store messages"
    )
    up.add_argument(
        "--set",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME=value",
        help="a setting of the application",
    )
    commands.add_parser("down", help="stop everything, keep the data")
    commands.add_parser("reset", help="stop everything, remove the data")
    status = commands.add_parser("status", help="what each part is doing; 0 when all run")
    status.add_argument("--json", action="store_true")
    commands.add_parser("env", help="the application's settings as lines for a shell")
    for name, text in PART_COMMANDS.items():
        commands.add_parser(name, help=text).add_argument("part", choices=list(map(str, Part)))
    return parser


def _between(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not between {least} and {most}")
        return value

    return number


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=value")
    return name, value
