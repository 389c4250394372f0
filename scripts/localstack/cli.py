"""The command line of scripts/stack.

A command that fails prints the reason in one sentence and ends with status 1. Commands that change
something take the stack's lock; the others only look.
"""

import argparse
import json
import os
import re
import shlex
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict

from localstack.processes import StackError
from localstack.settings import Options, find_layout
from localstack.stack import Stack
from localstack.topology import NAMES, load_topology

SOCKET_LIMIT_S = 10
PART_COMMANDS = {
    "start": "start or resume a part; returns when it answers",
    "stop": "SIGTERM, so that the part finishes its work; it stays down until start",
    "kill": "SIGKILL to every process of a part; it stays down until start",
    "pause": "SIGSTOP to every process of a part",
    "resume": "SIGCONT to every process of a part",
    "wipe": "kill a part and remove its data; it stays down until start",
}
NETWORK_COMMANDS = {
    "cut": "cut parts off from all others, not from each other; needs root and the cluster",
    "heal": "connect parts again that were cut off",
}


def main() -> int:
    """Run one command and return its exit status."""
    stack = Stack(find_layout())
    arguments = _parser(list(stack.topology().parts)).parse_args()
    os.umask(0o022)  # some services run as users of their own and must reach their folders
    socket.setdefaulttimeout(SOCKET_LIMIT_S)
    try:
        status = _run(stack, arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except StackError as error:
        print(f"stack: {error}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    return status


def _run(stack: Stack, arguments: argparse.Namespace) -> int:
    layout = stack.layout
    match arguments.command:
        case "status":
            return _print_status(stack, as_json=arguments.json)
        case "env":
            for name, value in stack.plan().application_settings().items():
                print(f"{name}={shlex.quote(value)}")
        case "up":
            layout.check()
            with layout.lock():
                plan = stack.up(_options(stack, arguments), services_only=arguments.services_only)
            ready = "services are ready" if arguments.services_only else f"ready on {plan.front()}"
            print(f"{ready} (data and logs in {layout.state})")
        case "down" | "reset" as command:
            if layout.state.exists():
                with layout.lock():
                    getattr(stack, command)()
        case "cut" | "heal" as command:
            with layout.lock():
                getattr(stack, command)(arguments.parts)
        case command:
            stack.plan()  # there has to be one
            with layout.lock():
                owner = stack if command in {"start", "wipe"} else stack.supervisor()
                getattr(owner, command)(arguments.part)
    return 0


def _print_status(stack: Stack, *, as_json: bool) -> int:
    parts = stack.status()
    if as_json:
        print(json.dumps([asdict(part) for part in parts], indent=1))
    else:
        width = max(14, *(len(part.part) + 1 for part in parts))
        for part in parts:
            pids = ",".join(map(str, part.pids)) or "-"
            print(f"{part.part:<{width}}{part.state:<9}{part.port or '-':<7}{pids}")
    return 0 if all(part.state == "running" for part in parts) else 1


def _options(stack: Stack, arguments: argparse.Namespace) -> Options:
    topology = load_topology(arguments.topology or stack.topology().name)
    return Options(
        port=arguments.port,
        web=arguments.web,
        workers=arguments.workers,
        extra=dict(arguments.set),
        elasticsearch_heap=os.environ.get("STACK_ES_HEAP", topology.elasticsearch_heap),
        elasticsearch_option=os.environ.get("STACK_ES_OPTION", ""),
        path=os.environ.get("STACK_PATH", ""),
        topology=topology.name,
    )


def _parser(parts: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/stack", description="The production topology on this machine."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start everything; returns when all parts are ready")
    numbers = (
        ("port", 0, 65535, "port of the web server; 0: any free one"),
        ("web", 1, 64, "number of web processes"),
        ("workers", 1, 64, "number of workers that store messages"),
    )
    for name, least, most, text in numbers:
        default = getattr(Options, name)
        about = f"{text} (default: {default})"
        up.add_argument(f"--{name}", type=_between(least, most), default=default, help=about)
    up.add_argument(
        "--set",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME=value",
        help="a setting of the application; can be repeated",
    )
    about = "the parts of the stack; it stays the same until reset (default: single)"
    up.add_argument("--topology", choices=NAMES, help=about)
    about = "start neither web servers nor workers nor beat, and apply no migrations"
    up.add_argument("--services-only", action="store_true", help=about)
    commands.add_parser("down", help="stop everything, keep the data")
    commands.add_parser("reset", help="stop everything, remove the data")
    status = commands.add_parser("status", help="the state of each part; status 0 when all run")
    status.add_argument("--json", action="store_true")
    commands.add_parser("env", help="the application's settings as lines for a shell")
    for name, text in PART_COMMANDS.items():
        commands.add_parser(name, help=text).add_argument("part", choices=parts)
    for name, text in NETWORK_COMMANDS.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("parts", choices=parts, nargs="+", metavar="part")
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


if __name__ == "__main__":
    sys.exit(main())
