"""`manage.py purge`: messages older than a date go."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError
from django.utils import timezone
from tqdm import tqdm

from applications.models import Application
from infra.commands import Interrupted, LineCommand, interruptible, utf8
from infra.jobs import JobIsRunning
from infra.redis_client import RedisUnavailable
from retention.purge import Purged, purge, would_purge


class Command(LineCommand):
    """Remove the oldest messages of each chat of an application."""

    help = (
        "Remove messages that were accepted before a date: of each chat those below the first "
        "that is not older, from the table and from the search index. Their numbers are not given "
        "again, the API answers 404 for them, and messages_count follows with the next count job. "
        "What is still pending is left, and all that comes after it. Safe at any time, under any "
        "load; interrupted, the same command goes on. Exit status 1 if another purge is under "
        "way, or if Redis or the database is away; 130 or 143: interrupted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--application, --before, --dry-run, --json."""
        parser.add_argument(
            "--application", type=utf8, metavar="TOKEN", required=True, help="whose messages"
        )
        parser.add_argument(
            "--before",
            metavar="DATE",
            type=moment,
            required=True,
            help="2026-01-31 or 2026-01-31T12:00+01:00; without a zone it is UTC",
        )
        parser.add_argument("--dry-run", action="store_true", help="report and change nothing")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Purge, with a progress bar where there is a terminal."""
        token = options["application"]
        if not Application.objects.filter(token=token).exists():
            raise CommandError(f"There is no application {token}.")
        purged = _purge(token, options["before"], dry_run=options["dry_run"])
        if options["json"]:
            self.print_json({**vars(purged), "dry_run": options["dry_run"]})
            return
        done = "would be purged" if options["dry_run"] else "purged"
        self.stdout.write(f"{purged.messages} messages of {purged.chats} chats {done}")
        if purged.held_up:
            self.stdout.write(
                f"{purged.held_up} chats have more, behind messages that are still pending"
            )


def moment(text: str) -> datetime:
    """The moment of a date, with a time or without. Raises ArgumentTypeError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no date like 2026-01-31") from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if found > timezone.now():
        raise ArgumentTypeError(f"{text} lies in the future")
    return found


def _purge(token: str, before: datetime, *, dry_run: bool) -> Purged:
    with interruptible() as interruption, tqdm(unit=" messages", disable=None, leave=False) as bar:

        def show(messages: int) -> None:
            # Between two transactions is a good place to end.
            interruption.give_way()
            bar.update(messages)

        try:
            with interruption.held():
                return (would_purge if dry_run else purge)([token], before, show)
        except JobIsRunning as busy:
            raise CommandError(busy.detail) from None
        except RedisUnavailable as error:
            raise CommandError(f"Redis is away, so nobody knows what pends: {error}") from None
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(f"The database failed: {error}. Run it again to go on.") from None
        except Interrupted as interrupted:
            raise CommandError(
                f"Ended by {interrupted.name} after {bar.n} messages; the same command goes on.",
                returncode=interrupted.status,
            ) from None
