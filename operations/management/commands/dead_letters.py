"""`manage.py dead_letters`: what was set aside, and what is to become of it."""

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError
from django.db.models import Max
from tqdm import tqdm

from infra.commands import Interrupted, LineCommand, interruptible
from ingest.dead_letters.models import DeadLetter
from ingest.dead_letters.replay import StillSetAside, as_object, as_summary, discard, replay

#: What could not be done is all counted, and so much of it named.
NAMED = 100
LISTED = 100

Result = dict[str, Any]

_COMMANDS = {
    "list": "The letters in the order in which they were set aside.",
    "show": "All of one letter: what it holds, why it was set aside, the traceback.",
    "replay": "Store what the letters hold, by the insert that the workers use, and remove them. "
    "One that fails again stays, with its new reason. Needs the database alone.",
    "discard": "Give the letters up for good. The numbers of their rows are recorded as skipped, "
    "so an audit takes them for no loss.",
}


class Command(LineCommand):
    """A subcommand each for looking at dead letters, replaying and discarding them."""

    help = (
        "Dead letters: rows that were accepted and could not be stored, task messages that could "
        "not be read, documents that the search index refused. Each may be interrupted and run "
        "again: what is stored already is not stored twice. Exit status 0: done; 1: some letter "
        "is not there, or failed again, or the database is away; 2: wrong usage; 130 or 143: "
        "interrupted, what was not reached is as it was."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The subcommands, and which letters."""
        commands = parser.add_subparsers(dest="subcommand", required=True)
        for name, what in _COMMANDS.items():
            command = commands.add_parser(name, help=what, description=what)
            command.add_argument("--json", action="store_true", help="print the result as JSON")
            if name == "list":
                command.add_argument("--limit", type=int, default=LISTED, help="so many at most")
                command.add_argument("--after", type=int, default=0, help="behind this ID")
            elif name == "show":
                command.add_argument("id", type=int, metavar="ID")
            else:
                which = command.add_mutually_exclusive_group(required=True)
                which.add_argument("ids", type=int, nargs="*", metavar="ID", default=[])
                which.add_argument("--all", action="store_true", help="all that there are now")

    def handle(self, *args: Any, subcommand: str, **options: Any) -> None:
        """Run the subcommand."""
        try:
            if subcommand == "list":
                self._list(options["after"], options["limit"], as_json=options["json"])
            elif subcommand == "show":
                self._show(options["id"], as_json=options["json"])
            else:
                self._do(subcommand, options)
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(f"The database failed: {error}") from None

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
            # So that no line of it looks like another field.
            self.stdout.write(f"    {line}")

    def _do(self, what: str, options: dict[str, Any]) -> None:
        doing = _Doing(what, replay if what == "replay" else discard)
        try:
            with interruptible() as interruption, _bar(options) as bar:
                for letter in _letters(options["ids"], everything=options["all"]):
                    with interruption.held():
                        doing.one(letter)
                    bar.update()
        except Interrupted as interrupted:
            self._print(doing.result(), as_json=options["json"])
            raise CommandError(
                f"Ended by {interrupted.name}; the same command goes on.",
                returncode=interrupted.status,
            ) from None
        self._print(doing.result(), as_json=options["json"])
        if not doing.is_well:
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


class _Doing:
    """What was done to letters, and what could not be."""

    def __init__(self, what: str, work: Callable[[DeadLetter], object]) -> None:
        self._done_is_called = {"replay": "replayed", "discard": "discarded"}[what]
        self._work = work
        self._done = self._failed = 0
        self._reasons: list[dict[str, Any]] = []
        self._missing: list[int] = []

    @property
    def is_well(self) -> bool:
        """Whether all of it was done."""
        return not self._failed and not self._missing

    def one(self, letter: DeadLetter | int) -> None:
        """Do it to this letter, or note that none has this ID. Raises OperationalError."""
        if isinstance(letter, int):
            self._missing.append(letter)
            return
        try:
            self._work(letter)
        except StillSetAside as error:
            self._failed += 1
            if len(self._reasons) < NAMED:
                self._reasons.append({"id": letter.pk, "reason": str(error)})
        else:
            self._done += 1

    def result(self) -> Result:
        """As programs read it."""
        return {
            "ok": self.is_well,
            self._done_is_called: self._done,
            "set_aside_again": self._failed,
            "failed": self._reasons,
            "missing": self._missing,
        }


def _letters(ids: list[int], *, everything: bool) -> Iterator[DeadLetter | int]:
    """These, or all that there are by now: some letters become others when they are replayed."""
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
