"""`manage.py purge`: remove messages older than a date."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from applications.models import Application
from infra.commands import LineCommand, utf8
from retention.purge import dry_run, purge
from retention.resumable import resumable_work


class Command(LineCommand):
    help = (
        "Remove messages that were accepted before a date, from the database and the search "
        "index. Each chat is purged up to its first message that is not older, or that is still "
        "pending. Numbers are not reused, the API answers 404 for purged messages, and the next "
        "count job updates messages_count. A purge can run at any time and under any load. After "
        "an interruption, run the same command again to continue. Exit status 1: another purge is "
        "running, or Redis or the database is unavailable; 130 or 143: interrupted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--application", type=utf8, metavar="TOKEN", required=True, help="application to purge"
        )
        parser.add_argument(
            "--before",
            metavar="DATE",
            type=moment,
            required=True,
            help="date or time, in UTC or with an offset: 2026-01-31, 2026-01-31T12:00+01:00",
        )
        parser.add_argument("--dry-run", action="store_true", help="report, and change nothing")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        token = options["application"]
        if not Application.objects.filter(token=token).exists():
            raise CommandError(f"No application has the token {token}.")
        work = dry_run if options["dry_run"] else purge
        with resumable_work() as show:
            result = work([token], options["before"], show)
        if options["json"]:
            self.print_json({**vars(result), "dry_run": options["dry_run"]})
            return
        verb = "would be purged" if options["dry_run"] else "purged"
        self.stdout.write(f"{result.messages} messages of {result.chats} chats {verb}")
        if result.held_up:
            self.stdout.write(
                f"{result.held_up} chats have more old messages, held up by pending ones"
            )


def moment(text: str) -> datetime:
    """Parse a date, with or without a time. Raises ArgumentTypeError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a date such as 2026-01-31") from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if found > timezone.now():
        raise ArgumentTypeError(f"{text} is in the future")
    return found
