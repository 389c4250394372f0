"""`manage.py export_conversations`: an application with its chats and messages as JSON lines."""

from argparse import ArgumentParser
from typing import Any, BinaryIO

from django.core.management.base import CommandError
from tqdm import tqdm

from applications.models import Application
from conversations.export_lines import count_messages, find_application, steps_of
from conversations.output import STANDARD_OUTPUT, exit_on_closed_pipe, open_output
from infra.commands import Interrupted, LineCommand, interruptible, utf8


class Command(LineCommand):
    help = (
        "Export an application as JSON lines: a line for the application, for each chat and for "
        "each message, ordered by chat and message number. import_conversations restores them. "
        "docs/conversations.md describes the format."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "application", type=utf8, metavar="APPLICATION", help="token or name of the application"
        )
        parser.add_argument(
            "--output",
            metavar="FILE",
            default=STANDARD_OUTPUT,
            help="file to write, which appears once it is complete; compressed with gzip if its "
            "name ends in .gz (default: standard output)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            application = find_application(options["application"])
            output = open_output(options["output"], self.stdout)
            with exit_on_closed_pipe(), interruptible(), output as file:
                _write(application, file)
        except Interrupted as interrupted:
            raise CommandError(
                f"The export was interrupted by {interrupted.name}.", returncode=interrupted.status
            ) from None
        except OSError as error:
            raise CommandError(f"Cannot write to {options['output']}: {error.strerror}") from error


def _write(application: Application, output: BinaryIO) -> None:
    with tqdm(unit=" messages", disable=None, leave=False) as bar:
        if not bar.disable:
            bar.total = count_messages(application)
        for lines in steps_of(application):
            output.write("".join(lines).encode())
            bar.update(len(lines))
