"""`python -m bench`: the command line. Needs the stack that is up, and its environment."""

import argparse
import os
import signal
import sys
from importlib import import_module

import django

from bench.commands import COMMANDS, Command
from bench.errors import BenchError


def main() -> int:
    """Run one measurement; 0 when it was made and what it checked was true."""
    # As an exception, so that the children are ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    arguments = vars(_parser().parse_args())
    command = COMMANDS[arguments.pop("command")]
    try:
        _measure(command, **arguments)
    except (BenchError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    for name, command in COMMANDS.items():
        its_parser = commands.add_parser(name, help=command.help)
        for option in command.options:
            option.add_to(its_parser)
    return parser


def _measure(command: Command, **arguments: object) -> None:
    if command.in_product:
        os.environ["DJANGO_SETTINGS_MODULE"] = "chatsystem.settings"
        django.setup()
    # Not before: some of them import what needs Django's applications.
    module, _, function = command.place.partition(":")
    getattr(import_module(module), function)(**arguments)


if __name__ == "__main__":
    sys.exit(main())
