"""`manage.py import_conversations`: conversations from JSON lines, each line exactly once."""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from django.core.management.base import CommandError
from tqdm import tqdm

from conversations.batches import Batch
from conversations.errors import SourceBroken
from conversations.importing import Importing
from conversations.output import reader_may_leave
from conversations.rejected import rejected_lines
from conversations.reporting import as_object, as_text
from conversations.source import Source, name_of, open_source
from infra.commands import Interrupted, LineCommand, interruptible
from infra.errors import DomainError


class Command(LineCommand):
    """Import a file or standard input; or list what was set aside."""

    help = (
        'Import lines of {"application": name, "chat": name, "body": text}, plain or gzip. '
        "Interrupted at any point and run again it goes on where it was, and a file that has "
        "grown is continued. Applications and chats are made by their names once and continued "
        "by later imports; those that were not made by an import are left alone. A bad line is "
        "reported, set aside and passed over."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """FILE, --name, --restart, --rejected, --json."""
        parser.add_argument("file", metavar="FILE", nargs="?", help="- for standard input")
        parser.add_argument("--name", help="keep progress under this name, not the file's path")
        parser.add_argument(
            "--restart",
            action="store_true",
            help="forget how far this import has come: import line 1 and all others as new",
        )
        parser.add_argument(
            "--rejected",
            action="store_true",
            help="import nothing; list the lines that were set aside, of FILE or of all",
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, report, and fail with what ended the import early."""
        with reader_may_leave():
            if options["rejected"]:
                self._list_rejected(options["file"], options["name"], as_json=options["json"])
            else:
                self._import_from(options)

    def _import_from(self, options: dict[str, Any]) -> None:
        if not options["file"]:
            raise CommandError("Say which FILE to import, or - for standard input.")
        try:
            with open_source(options["file"], options["name"]) as source:
                self._import(source, restart=options["restart"], as_json=options["json"])
        except DomainError as error:
            raise CommandError(error.detail) from None

    def _import(self, source: Source, *, restart: bool, as_json: bool) -> None:
        begun = time.monotonic()
        with interruptible() as interruption, _bar_of(source) as bar:
            notice = self._notice(source, bar)
            importing = Importing(source, undisturbed=interruption.held, notice=notice)
            problem = _run(importing, source, restart=restart)
        if as_json:
            self.print_json(as_object(importing.outcome))
        else:
            for line in as_text(importing.outcome, time.monotonic() - begun):
                self.stdout.write(line)
        if problem:
            raise problem

    def _notice(self, source: Source, bar: "tqdm[Any]") -> Callable[[Batch], None]:
        def notice(batch: Batch) -> None:
            if source.total is None:
                bar.update(batch.done - batch.before)
            with nullcontext() if bar.disable else tqdm.external_write_mode(file=sys.stderr):
                for one in batch.rejected:
                    self.stderr.write(f"{source.label}:{one.line_number}: {one.reason}")

        return notice

    def _list_rejected(self, file: str | None, name: str | None, *, as_json: bool) -> None:
        source_name = name or (name_of(file) if file else None)
        for line in rejected_lines(source_name):
            if as_json:
                fields = {"source": line.of.source, "line": line.line_number}
                raw = bytes(line.raw).decode(errors="backslashreplace")
                self.print_json({**fields, "reason": line.reason, "raw": raw})
            else:
                self.stdout.write(f"{line.of.source}:{line.line_number}: {line.reason}")


def _run(importing: Importing, source: Source, *, restart: bool) -> CommandError | None:
    """What ended the import early, though what it had done by then is worth a report."""
    try:
        importing.run(restart=restart)
    except Interrupted as interrupted:
        return CommandError(
            f"{source.label}: ended by {interrupted.name} after line {importing.lines_done:,}; "
            "the same command goes on behind it.",
            returncode=interrupted.status,
        )
    except SourceBroken as broken:
        return CommandError(
            f"{source.label}:{importing.lines_done + 1}: {broken.detail}. All lines before this "
            "one are imported; with the input mended the same command goes on here."
        )
    return None


def _bar_of(source: Source) -> "tqdm[Any]":
    """A bar on a terminal: of bytes where their number is known, else of lines."""
    if source.total is None:
        return tqdm(unit=" lines", disable=None, leave=False)
    bar: tqdm[Any] = tqdm(total=source.total, unit="B", unit_scale=True, disable=None, leave=False)
    source.watcher = bar.update
    return bar
