"""`manage.py sweep`: the sweep of each minute, now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError

from infra.commands import LineCommand
from infra.jobs import JobIsRunning
from infra.redis_client import RedisUnavailable, redis_is_configured
from ingest.sweeper import sweep


class Command(LineCommand):
    """Store what was accepted more than a minute ago and is still pending in Redis."""

    help = (
        "Store in the database what was accepted more than a minute ago and is still pending in "
        "Redis, because its message was lost or its process died. Beat does so each minute. Safe "
        "at any time: what is stored already is left alone, nothing is queued, and while workers "
        "are busy, what is still to come to them is left to them. Exit status 1 if a sweep is "
        "under way, or if Redis or the database is away. Without REDIS_URL there is nothing to do."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--json."""
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Sweep once."""
        if not redis_is_configured():
            self.stdout.write("{}" if options["json"] else "Nothing to do without REDIS_URL.")
            return
        try:
            swept = sweep()
        except JobIsRunning as busy:
            raise CommandError(busy.detail) from None
        except RedisUnavailable as error:
            raise CommandError(f"Redis is away: {error}") from None
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(f"The database failed: {error}") from None
        if options["json"]:
            self.print_json(vars(swept))
            return
        self.stdout.write(f"{swept.stored} rows stored, {swept.set_aside} set aside")
        self.stdout.write(f"{swept.left} chats or applications left to the workers")
        if not swept.is_complete:
            self.stdout.write("There is more: the next sweep goes on.")
        if not swept.is_drained:
            self.stdout.write("Rows of before this epoch may still be queued.")
