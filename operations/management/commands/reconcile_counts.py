"""`manage.py reconcile_counts`: run the hourly count job now."""

from argparse import ArgumentParser
from typing import Any

from tqdm import tqdm

from infra.commands import LineCommand
from operations import counts


class Command(LineCommand):
    help = (
        "Recount the applications and chats whose children changed since the last count, and "
        "correct chats_count and messages_count. Safe at any time and under any load. After an "
        "interruption the next run does the rest."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="recount all applications and chats")
        parser.add_argument(
            "--dry-run", action="store_true", help="report the corrections without making them"
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        with tqdm(unit=" parents", disable=None, leave=False) as bar:
            tallies = counts.reconcile(
                everything=options["all"], dry_run=options["dry_run"], progress=bar.update
            )
        if options["json"]:
            self.print_json({name: vars(tally) for name, tally in tallies.items()})
            return
        done = "would be corrected" if options["dry_run"] else "corrected"
        for name, tally in tallies.items():
            self.stdout.write(f"{name}: {tally.counted} counted, {tally.corrected} {done}")
