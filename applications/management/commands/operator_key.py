"""`manage.py operator_key`: the key of an operator, made or replaced."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from applications.services import make_operator_key
from core.errors import Invalid
from core.text import clean_name


class Command(BaseCommand):
    """Make a key and print it."""

    help = (
        "Make a key that opens every application and may create and list them, and print it on "
        "the last line. It cannot be shown again. Where the name has a key already, that one "
        "stops working within a second. Exit status 1 if the database is away."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """NAME."""
        parser.add_argument("name", metavar="NAME", help="whose key it is, to tell them apart")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the key alone."""
        try:
            key = make_operator_key(name=clean_name(options["name"]))
        except Invalid as error:
            raise CommandError(error.detail) from None
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(f"The database failed: {error}") from None
        self.stdout.write(key)
