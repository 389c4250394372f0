"""`manage.py convert_export`: the export of another chat system as lines to import."""

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from conversations.converters import mattermost, slack, zulip
from conversations.converters.archive import Archive, open_archive
from conversations.converters.items import Fates, Item
from conversations.converters.spool import convert
from conversations.output import exit_on_closed_pipe, open_output
from infra.commands import Interrupted, LineCommand, interruptible

CONVERTERS: dict[str, Callable[[Archive, Fates], Iterator[Item]]] = {
    "slack": slack.read,
    "mattermost": mattermost.read,
    "zulip": zulip.read,
}


class Command(LineCommand):
    help = (
        "Convert the export of Slack, Mattermost or Zulip into the lines that import_conversations "
        "reads. PATH is a zip, a tar, a folder, or for Mattermost also a file of JSON lines. What "
        "was changed or left out is counted on standard error."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("system", choices=CONVERTERS, help="where the export comes from")
        parser.add_argument("path", type=Path, metavar="PATH", help="the export")
        parser.add_argument(
            "output",
            metavar="OUTPUT",
            help="file to write, which appears once it is complete; compressed with gzip if its "
            "name ends in .gz; - for standard output",
        )
        parser.add_argument(
            "--name", help="name of the application (default: the name of PATH without endings)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        fates, path, output = Fates(), options["path"], options["output"]
        try:
            archive = open_archive(path)
            items = CONVERTERS[options["system"]](archive, fates)
            lines = convert(items, options["name"] or archive.name, fates)
            with exit_on_closed_pipe(), interruptible(), open_output(output, self.stdout) as file:
                for line in lines:
                    file.write(line.encode())
        except Interrupted as interrupted:
            raise CommandError(
                f"The conversion was interrupted by {interrupted.name}.",
                returncode=interrupted.status,
            ) from None
        except OSError as error:
            raise CommandError(f"Cannot write to {output}: {error.strerror}") from error
        for fate, count in sorted(fates.counts.items()):
            self.stderr.write(f"{path}: {count:,} {fate}")
