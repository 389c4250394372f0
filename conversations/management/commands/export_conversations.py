"""`manage.py export_conversations`: the conversations of an application as JSON lines."""

from argparse import ArgumentParser
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandError
from tqdm import tqdm

from applications.models import Application
from conversations.exporting import NoSuchApplication, count_messages, find_application, steps_of
from conversations.output import new_file, reader_may_leave, standard_output
from infra.commands import Interrupted, LineCommand, interruptible, utf8

STANDARD_OUTPUT = "-"


class Command(LineCommand):
    """Write what import_conversations reads."""

    help = (
        'Write the messages of an application as lines of {"application": name, "chat": name, '
        '"body": text}, chats and messages in the order of their numbers.'
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """APPLICATION, --output."""
        parser.add_argument(
            "application", type=utf8, metavar="APPLICATION", help="its token, or its name"
        )
        parser.add_argument(
            "--output",
            metavar="FILE",
            default=STANDARD_OUTPUT,
            help="appears when complete, gzip if it ends in .gz; default: standard output",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Export, with a progress bar where there is a terminal."""
        try:
            application = find_application(options["application"])
            with reader_may_leave(), interruptible(), self._open(options["output"]) as output:
                _write(application, output)
        except NoSuchApplication as error:
            raise CommandError(error.detail) from None
        except Interrupted as interrupted:
            raise CommandError(
                f"The export was ended by {interrupted.name}.", returncode=interrupted.status
            ) from None
        except OSError as error:
            raise CommandError(f"Cannot write to {options['output']}: {error.strerror}") from error

    def _open(self, output: str) -> AbstractContextManager[BinaryIO]:
        if output == STANDARD_OUTPUT:
            return standard_output(self.stdout)
        return new_file(Path(output))


def _write(application: Application, output: BinaryIO) -> None:
    with tqdm(unit=" messages", disable=None, leave=False) as bar:
        if not bar.disable:
            bar.total = count_messages(application)
        for lines in steps_of(application):
            output.write("".join(lines).encode())
            bar.update(len(lines))
