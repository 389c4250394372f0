"""`manage.py import_conversations`: import JSON lines, each line exactly once."""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

from django.core.management.base import CommandError
from django.db.models import QuerySet
from tqdm import tqdm

from conversations.errors import SourceDamaged
from conversations.import_lines import Batch
from conversations.import_run import ImportRun, Outcome
from conversations.import_source import Source, name_of, open_source
from conversations.models import ImportShare, RejectedLine, digest_of
from conversations.output import exit_on_closed_pipe
from infra.commands import Interrupted, LineCommand, interruptible
from infra.natural_keys import batches_by_pk

#: Applications that are listed in text.
MAX_LISTED = 50
#: Rejected lines read at a time.
STEP = 100


def as_object(outcome: Outcome) -> dict[str, object]:
    """The result as one JSON object."""
    return {
        "lines": outcome.lines,
        "messages": outcome.messages,
        "rejected": outcome.rejected,
        "empty": outcome.empty,
        "skipped": outcome.skipped,
        "applications": [
            {
                "name": share.name,
                "token": share.application_token,
                "chats": share.chats,
                "messages": share.messages,
            }
            for share in shares_of(outcome)
        ],
    }


def as_text(outcome: Outcome, seconds: float) -> Iterator[str]:
    """The result as lines of text."""
    if outcome.skipped and not outcome.handled:
        yield f"Nothing to do: all {outcome.skipped:,} lines were imported before."
    else:
        yield (
            f"{outcome.lines:,} lines in {seconds:.1f} s: {outcome.messages:,} messages stored, "
            f"{outcome.rejected:,} rejected, {outcome.empty:,} empty, "
            f"{outcome.skipped:,} imported before"
        )
    shares = shares_of(outcome)
    for share in shares[:MAX_LISTED]:
        yield (
            f"  {share.application_token}  {share.chats:>9,} chats  "
            f"{share.messages:>12,} messages  {share.name}"
        )
    if (more := shares.count() - MAX_LISTED) > 0:
        yield f"  and {more:,} more applications (--json lists all)"


def shares_of(outcome: Outcome) -> "QuerySet[ImportShare]":
    """The applications that the import added to, in the order in which it came to them."""
    shares = ImportShare.objects.filter(of_id=outcome.import_id).order_by("pk")
    return shares.exclude(application_token="")


def rejected_lines(source_name: str | None = None) -> Iterator[RejectedLine]:
    """The rejected lines of one source or of all, oldest first, in bounded memory."""
    rows = RejectedLine.objects.select_related("of")
    if source_name is not None:
        rows = rows.filter(of__source_key=digest_of(source_name))
    for step in batches_by_pk(rows, STEP):
        yield from step


class Command(LineCommand):
    help = (
        "Import JSON lines, plain or gzip. The lines of an export are restored as a new "
        "application, with all numbers and times. Lines of the old format, "
        '{"application": NAME, "chat": NAME, "body": TEXT}, are added to applications and chats of '
        "these names, which imports create. An import that was interrupted resumes when it is run "
        "again, and one whose file has grown continues with the new lines. Applications and chats "
        "that were not created by an import are never changed. Invalid lines are reported, kept "
        "for --rejected, and skipped. docs/conversations.md describes the formats."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", metavar="FILE", nargs="?", help="file to import, or - for standard input"
        )
        parser.add_argument(
            "--name",
            help="name that identifies this import between runs (default: the file's path)",
        )
        parser.add_argument(
            "--restart",
            action="store_true",
            help="forget the progress of this import, and import all lines again as new messages",
        )
        parser.add_argument(
            "--rejected",
            action="store_true",
            help="import nothing; list the rejected lines of FILE, or of all imports",
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        file, name, as_json = options["file"], options["name"], options["json"]
        with exit_on_closed_pipe():
            if options["rejected"]:
                self._list_rejected(file, name, as_json=as_json)
            elif not file:
                raise CommandError("FILE is required: a file to import, or - for standard input.")
            else:
                with open_source(file, name) as source:
                    self._import(source, restart=options["restart"], as_json=as_json)

    def _import(self, source: Source, *, restart: bool, as_json: bool) -> None:
        begun = time.monotonic()
        with interruptible() as interruption, _bar_of(source) as bar:
            on_batch = self._reporter(source, bar)
            run = ImportRun(source, uninterrupted=interruption.held, on_batch=on_batch)
            problem = _complete(run, source, restart=restart)
        if as_json:
            self.print_json(as_object(run.outcome))
        else:
            for line in as_text(run.outcome, time.monotonic() - begun):
                self.stdout.write(line)
        if problem:
            raise problem

    def _reporter(self, source: Source, bar: "tqdm[Any]") -> Callable[[Batch], None]:
        def on_batch(batch: Batch) -> None:
            if source.total is None:
                bar.update(batch.done - batch.before)
            with nullcontext() if bar.disable else tqdm.external_write_mode(file=sys.stderr):
                for one in batch.rejected:
                    self.stderr.write(f"{source.label}:{one.line_number}: {one.reason}")

        return on_batch

    def _list_rejected(self, file: str | None, name: str | None, *, as_json: bool) -> None:
        source_name = name or (name_of(file) if file else None)
        for line in rejected_lines(source_name):
            if as_json:
                fields = {"source": line.of.source, "line": line.line_number}
                raw = bytes(line.raw).decode(errors="backslashreplace")
                self.print_json({**fields, "reason": line.reason, "raw": raw})
            else:
                self.stdout.write(f"{line.of.source}:{line.line_number}: {line.reason}")


def _complete(run: ImportRun, source: Source, *, restart: bool) -> CommandError | None:
    """Run the import, and return the error that ended it early: the result is printed first."""
    try:
        run.run(restart=restart)
    except Interrupted as interrupted:
        return CommandError(
            f"{source.label}: interrupted by {interrupted.name} after line {run.lines_done:,}. "
            "Run the same command again to continue after that line.",
            returncode=interrupted.status,
        )
    except SourceDamaged as damaged:
        return CommandError(
            f"{source.label}:{run.lines_done + 1}: {damaged.detail}. All lines before this "
            "one are imported. Repair the input and run the same command again to continue here."
        )
    return None


def _bar_of(source: Source) -> "tqdm[Any]":
    """A progress bar on a terminal: of bytes if their number is known, or else of lines."""
    if source.total is None:
        return tqdm(unit=" lines", disable=None, leave=False)
    bar: tqdm[Any] = tqdm(total=source.total, unit="B", unit_scale=True, disable=None, leave=False)
    source.watcher = bar.update
    return bar
