"""`manage.py dead_letters`: list, show, replay and discard dead letters."""

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Max
from tqdm import tqdm

from infra.commands import Interrupted, LineCommand, interruptible
from ingest.dead_letters.replay import StillSetAside, as_object, as_summary, discard, replay
from ingest.models import DeadLetter

#: All failures are counted; this many are listed with their reasons.
MAX_REASONS = 100
DEFAULT_LIMIT = 100

Result = dict[str, Any]

_COMMANDS = {
    "list": "List the dead letters in the order in which they were set aside.",
    "show": "Show all of one dead letter: its rows, the reason, the traceback.",
    "replay": "Store the rows of the dead letters, with the insert that the workers use, and "
    "remove the letters. A letter that fails again stays, with the new reason. Needs only the "
    "database.",
    "discard": "Delete the dead letters and their rows for good. The numbers of the rows are "
    "recorded as skipped, so an audit does not report them as lost.",
}
#: The work of a subcommand, and the name of its count in the result.
_WORK: dict[str, tuple[Callable[[DeadLetter], object], str]] = {
    "replay": (replay, "replayed"),
    "discard": (discard, "discarded"),
}


class Command(LineCommand):
    help = (
        "Handle dead letters: accepted rows that could not be stored, task messages that could not "
        "be read, documents that the search index refused. Every subcommand can be interrupted "
        "and repeated: no row is stored twice. Exit status 0: done; 1: a letter does not exist or "
        "failed again, or the database is unavailable; 2: wrong usage; 130 or 143: interrupted, "
        "and the remaining letters are unchanged."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="subcommand", required=True)
        for name, help_text in _COMMANDS.items():
            command = commands.add_parser(name, help=help_text, description=help_text)
            command.add_argument("--json", action="store_true", help="print the result as JSON")
            if name == "list":
                command.add_argument(
                    "--limit", type=int, default=DEFAULT_LIMIT, help="at most this many"
                )
                command.add_argument(
                    "--after", type=int, default=0, help="only those with a higher ID"
                )
            elif name == "show":
                command.add_argument("id", type=int, metavar="ID")
            else:
                which = command.add_mutually_exclusive_group(required=True)
                which.add_argument("ids", type=int, nargs="*", metavar="ID", default=[])
                which.add_argument("--all", action="store_true", help="all dead letters")

    def handle(self, *args: Any, subcommand: str, **options: Any) -> None:
        if subcommand == "list":
            self._list(options["after"], options["limit"], as_json=options["json"])
        elif subcommand == "show":
            self._show(options["id"], as_json=options["json"])
        else:
            self._process(subcommand, options)

    def _list(self, after: int, limit: int, *, as_json: bool) -> None:
        letters = DeadLetter.objects.filter(pk__gt=after).order_by("pk")[: max(limit, 0)]
        count = DeadLetter.objects.count()
        if as_json:
            shown = list(map(as_summary, letters))
            self.print_json({"count": count, "letters": shown})
            return
        for letter in letters:
            at = f"{letter.set_aside_at:%Y-%m-%d %H:%M:%S}"
            self.stdout.write(f"{letter.pk}  {at}  {letter.kind} {letter.key}: {letter.reason}")
        self.stdout.write(f"{count} dead letters")

    def _show(self, pk: int, *, as_json: bool) -> None:
        letter = DeadLetter.objects.filter(pk=pk).first()
        if letter is None:
            raise CommandError(f"There is no dead letter {pk}.")
        fields = as_object(letter)
        if as_json:
            self.print_json(fields)
            return
        traceback = fields.pop("traceback").rstrip("\n").split("\n")
        for name, value in fields.items():
            self.stdout.write(f"{name}: {value}")
        self.stdout.write("traceback:")
        for line in traceback:
            # Indented, so that no line of the traceback looks like another field.
            self.stdout.write(f"    {line}")

    def _process(self, subcommand: str, options: dict[str, Any]) -> None:
        work, done = _WORK[subcommand]
        result: Result = {"ok": True, done: 0, "set_aside_again": 0, "failed": [], "missing": []}
        try:
            with interruptible() as interruption, _bar(options) as bar:
                for letter in _letters(options["ids"], everything=options["all"]):
                    with interruption.held():
                        _process_one(letter, work, done, result)
                    bar.update()
        except Interrupted as interrupted:
            self._print(result, as_json=options["json"])
            raise CommandError(
                f"Interrupted by {interrupted.name}; run the same command again to continue.",
                returncode=interrupted.status,
            ) from None
        is_complete = result["ok"]
        self._print(result, as_json=options["json"])
        if not is_complete:
            raise SystemExit(1)

    def _print(self, result: Result, *, as_json: bool) -> None:
        if as_json:
            self.print_json(result)
            return
        for pk in result.pop("missing"):
            self.stdout.write(f"{pk}: there is no such dead letter")
        for one in result.pop("failed"):
            self.stdout.write(f"{one['id']}: {one['reason']}")
        del result["ok"]
        self.stdout.write(
            ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in result.items())
        )


def _process_one(
    letter: DeadLetter | int, work: Callable[[DeadLetter], object], done: str, result: Result
) -> None:
    """Process this letter, or note an ID without a letter. Raises OperationalError."""
    if isinstance(letter, int):
        result["ok"] = False
        result["missing"].append(letter)
        return
    try:
        work(letter)
    except StillSetAside as error:
        result["ok"] = False
        result["set_aside_again"] += 1
        if len(result["failed"]) < MAX_REASONS:
            result["failed"].append({"id": letter.pk, "reason": str(error)})
    else:
        result[done] += 1


def _letters(ids: list[int], *, everything: bool) -> Iterator[DeadLetter | int]:
    """The letters with these IDs (an ID without a letter as it is), or all that exist now.

    A replay may turn one letter into several; those get higher IDs and are left out.
    """
    if not everything:
        for pk in ids:
            yield DeadLetter.objects.filter(pk=pk).first() or pk
        return
    last = DeadLetter.objects.aggregate(last=Max("pk"))["last"] or 0
    rows = DeadLetter.objects.filter(pk__lte=last).order_by("pk")
    letter = rows.first()
    while letter is not None:
        yield letter
        letter = rows.filter(pk__gt=letter.pk).first()


def _bar(options: dict[str, Any]) -> "tqdm[Any]":
    total = DeadLetter.objects.count() if options["all"] else len(options["ids"])
    return tqdm(total=total, unit=" letters", disable=None, leave=False)
