"""`manage.py search`: the life of the search index."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from tqdm import tqdm

from infra.commands import LineCommand
from infra.errors import DomainError
from search import building
from search.building import Copied
from search.checking import StillBehind, check, repair
from search.errors import IndexUnusable
from search.index.layout import layout

#: Differences are all counted, and so many of them named.
NAMED = 100
REPAIRED_AT_ONCE = 1000

Result = dict[str, Any]

_COMMANDS = {
    "create": "Make an index where there is none; the search worker fills it from the table.",
    "rebuild": "Fill a new index from the table, which then takes the place of the old one. "
    "Goes on with one that was interrupted.",
    "check": "Compare index and table, message by message. Exit status 1 when they differ.",
    "repair": "Check, and index anew what differs. Exit status 1 when that was not enough.",
}


class Command(LineCommand):
    """A subcommand each for making, rebuilding, checking and mending the index."""

    help = (
        "The search index in Elasticsearch. The search worker makes it, fills it and keeps it in "
        "step by itself; these commands are for who cannot wait or wants to be sure. Each may be "
        "interrupted and run again, while messages are written and searched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The subcommands; --json for programs."""
        commands = parser.add_subparsers(dest="subcommand", required=True)
        for name, what in _COMMANDS.items():
            command = commands.add_parser(name, help=what, description=what)
            command.add_argument("--json", action="store_true", help="print the result as JSON")
            if name == "rebuild":
                command.add_argument(
                    "--anew", action="store_true", help="give up one that was interrupted"
                )

    def handle(self, *args: Any, subcommand: str, **options: Any) -> None:
        """Run the subcommand and print its result."""
        if not settings.ENVIRONMENT.elasticsearch_url:
            raise CommandError("Without Elasticsearch there is no index: set ELASTICSEARCH_URL.")
        run: Callable[..., Result] = getattr(self, f"_{subcommand}")
        try:
            result = run(**{name: options[name] for name in ("anew",) if name in options})
        except (IndexUnusable, StillBehind) as error:
            raise CommandError(f"{type(error).__name__}: {error}") from error
        except DomainError as error:
            raise CommandError(error.detail) from error
        self._print(result, as_json=options["json"])
        if not result["ok"]:
            raise SystemExit(1)

    def _create(self) -> Result:
        found = layout()
        if not found.targets:
            building.begin()
            found = layout()
        return {"ok": True, "live": found.live, "build": found.build}

    def _rebuild(self, *, anew: bool) -> Result:
        with tqdm(unit=" ids", disable=None) as bar:

            def show(copied: Copied) -> None:
                bar.total = copied.of
                bar.update(copied.done - bar.n)

            building.rebuild(anew=anew, notice=show)
        return {"ok": True, "live": layout().live, "build": None}

    def _check(self) -> Result:
        kinds: Counter[str] = Counter()
        named: list[str] = []
        compared = 0
        with tqdm(unit=" messages", disable=None) as bar:

            def show(passed: int) -> None:
                nonlocal compared
                bar.update(passed - compared)
                compared = passed

            for difference in check(notice=show):
                kinds[difference.kind] += 1
                if len(named) < NAMED:
                    named.append(str(difference))
        return {"ok": not kinds, "compared": compared, "differences": dict(kinds), "named": named}

    def _repair(self) -> Result:
        mended = 0
        found = iter(check())
        while some := list(islice(found, REPAIRED_AT_ONCE)):
            repair(some)
            mended += len(some)
        return {**self._check(), "indexed_anew": mended}

    def _print(self, result: Result, *, as_json: bool) -> None:
        if as_json:
            self.print_json(result)
            return
        for name, value in result.items():
            lines = value if isinstance(value, list) else [f"{name}: {_shown(value)}"]
            for line in lines:
                self.stdout.write(str(line))


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {kind}" for kind, count in value.items()) or "none"
    return "-" if value is None else str(value)
