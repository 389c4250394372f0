"""`manage.py new_epoch`: no number that Redis has to give counts any more."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, transaction

from core.numbering.authority import begin_epoch, lock_authority, read_authority
from core.numbering.models import Source
from core.redis.client import is_configured

MAX_REASON_CHARACTERS = 200


class Command(BaseCommand):
    """Begin a new epoch of numbering, by hand."""

    help = (
        "Begin a new epoch of numbering: blocks of numbers that Redis holds count no more, and "
        "each chat's next number lies above all that it was ever lent. For when Redis was "
        "replaced or its data put back by hand, and nobody shall rely on the examination that "
        "follows by itself. Numbers skip forward once, each skip is recorded; nothing is lost or "
        "repeated, and nothing has to be stopped. The next count job counts everything. Exit "
        "status 1 if the database is away. Without REDIS_URL there is nothing to do."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--reason."""
        parser.add_argument(
            "--reason", default="begun by hand", help="kept with the epoch (200 characters)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Under the lock that everybody who takes numbers waits for."""
        if not is_configured():
            self.stdout.write("Nothing to do without REDIS_URL: the database gives the numbers.")
            return
        reason = options["reason"][:MAX_REASON_CHARACTERS]
        try:
            read_authority()
            with transaction.atomic(durable=True):
                authority = lock_authority()
                begin_epoch(authority, Source.REDIS, reason)
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(f"The database failed: {error}") from None
        self.stdout.write(f"Epoch {authority.epoch} has begun; Redis gives the numbers.")
