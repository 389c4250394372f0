"""The README's tables are complete, and its options exist."""

import re
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator

from django.core.management import get_commands, load_command_class

from chatsystem.env import Environment
from tests.docs.console import ROOT

README = (ROOT / "README.md").read_text()


def words_of(parser: ArgumentParser) -> Iterator[str]:
    """The options of a command, its subcommands and theirs."""
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, _SubParsersAction):
            for name, command in action.choices.items():
                yield name
                yield from words_of(command)


def test_the_table_of_settings_is_complete() -> None:
    shown = re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE)

    assert sorted(shown) == sorted(name.upper() for name in Environment.model_fields)


def test_the_options_and_subcommands_of_its_commands_exist() -> None:
    for row in re.findall(r"^\| `manage\.py .*$", README, re.MULTILINE):
        there: set[str] = set()
        for name in re.findall(r"manage\.py (\w+)", row):
            command = load_command_class(get_commands()[name], name)
            there |= {name, *words_of(command.create_parser("manage.py", name))}
        named = re.findall(r"--[a-z-]+|(?<=`)[a-z]+(?=`)|(?<=manage\.py )\w+(?: [a-z]+)?", row)
        assert {word for some in named for word in some.split()} <= there, row
