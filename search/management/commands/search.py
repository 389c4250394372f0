"""`manage.py search`: create, rebuild, check and repair the search index."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from tqdm import tqdm

from infra.commands import LineCommand
from search import index_build
from search.errors import IndexUnusable
from search.index.layout import layout
from search.index_build import CopyProgress
from search.index_check import StillBehind, check, repair

#: Differences that are listed; all of them are counted.
MAX_LISTED = 100
REPAIRED_TOGETHER = 1000

Result = dict[str, Any]

_COMMANDS = {
    "create": "Create an index if there is none. The search worker fills it from the database.",
    "rebuild": "Build a new index from the database, then replace the old one with it. "
    "Resumes an interrupted rebuild.",
    "check": "Compare the index with the database, message by message. "
    "Exit status 1 if they differ.",
    "repair": "Check, and index again each message that differs. "
    "Exit status 1 if differences remain.",
}


class Command(LineCommand):
    help = (
        "Manage the search index in Elasticsearch. The search worker creates the index and keeps "
        "it up to date, so these commands are needed only for repair, or to be sure. Each of them "
        "can be interrupted and run again, while messages are written and searched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="subcommand", required=True)
        for name, what in _COMMANDS.items():
            command = commands.add_parser(name, help=what, description=what)
            command.add_argument("--json", action="store_true", help="print the result as JSON")
            if name == "rebuild":
                command.add_argument(
                    "--anew",
                    action="store_true",
                    help="start over instead of resuming an interrupted rebuild",
                )

    def handle(self, *args: Any, subcommand: str, **options: Any) -> None:
        if not settings.ENVIRONMENT.elasticsearch_url:
            raise CommandError(
                "There is no search index without Elasticsearch: set ELASTICSEARCH_URL."
            )
        run: Callable[..., Result] = getattr(self, f"_{subcommand}")
        try:
            result = run(**{name: options[name] for name in ("anew",) if name in options})
        except (IndexUnusable, StillBehind) as error:
            raise CommandError(f"{type(error).__name__}: {error}") from error
        self._print(result, as_json=options["json"])
        if not result["ok"]:
            raise SystemExit(1)

    def _create(self) -> Result:
        found = layout()
        if not found.targets:
            index_build.begin()
            found = layout()
        return {"ok": True, "live": found.live, "build": found.build}

    def _rebuild(self, *, anew: bool) -> Result:
        with tqdm(unit=" ids", disable=None) as bar:

            def show(progress: CopyProgress) -> None:
                bar.total = progress.total
                bar.update(progress.done - bar.n)

            index_build.rebuild(anew=anew, on_progress=show)
        return {"ok": True, "live": layout().live, "build": None}

    def _check(self) -> Result:
        kinds: Counter[str] = Counter()
        listed: list[str] = []
        compared = 0
        with tqdm(unit=" messages", disable=None) as bar:

            def show(now: int) -> None:
                nonlocal compared
                bar.update(now - compared)
                compared = now

            for difference in check(on_progress=show):
                kinds[difference.kind] += 1
                if len(listed) < MAX_LISTED:
                    listed.append(str(difference))
        return {"ok": not kinds, "compared": compared, "differences": dict(kinds), "named": listed}

    def _repair(self) -> Result:
        repaired = 0
        found = iter(check())
        while some := list(islice(found, REPAIRED_TOGETHER)):
            repair(some)
            repaired += len(some)
        return {**self._check(), "indexed_anew": repaired}

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
