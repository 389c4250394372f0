"""`manage.py sweep`: run the sweep, which beat starts every minute, now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from infra.commands import LineCommand
from infra.redis_client import RedisUnavailable, redis_is_configured
from ingest.sweeper import sweep


class Command(LineCommand):
    help = (
        "Store rows that were accepted more than a minute ago and are still pending in Redis, "
        "because their message was lost or their process died. Beat runs a sweep every minute. "
        "Safe at any time: stored rows are left alone, nothing is queued, and rows that busy "
        "workers will still reach are left to them. Without REDIS_URL there is nothing to do. Exit "
        "status 0: done; 1: another sweep is running, or Redis or the database is unavailable; 2: "
        "wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if not redis_is_configured():
            self.stdout.write("{}" if options["json"] else "Nothing to do without REDIS_URL.")
            return
        try:
            swept = sweep()
        except RedisUnavailable as error:
            raise CommandError(f"Redis is unavailable: {error}") from None
        if options["json"]:
            self.print_json(vars(swept))
            return
        self.stdout.write(f"{swept.stored} rows stored, {swept.set_aside} set aside")
        self.stdout.write(f"{swept.left} chats or applications left to the workers")
        if not swept.is_complete:
            self.stdout.write("More rows are pending: the next sweep continues.")
        if not swept.is_drained:
            self.stdout.write("Rows from before this epoch may still be queued.")
