"""`manage.py operator_key`: make, replace or revoke the key of an operator."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from applications.services import make_operator_key, revoke_operator_key
from infra.commands import LineCommand
from ingest.fields import clean_name


class Command(LineCommand):
    help = (
        "Make a key that opens every application and may create and list applications, and print "
        "it on the last line. It cannot be shown again. If the name has a key already, the old one "
        "stops working within a second. With --revoke, end the key of this name and make none. "
        "Exit status 1 if there is no key to revoke, or if the database is unavailable."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="a name that tells operator keys apart")
        parser.add_argument("--revoke", action="store_true", help="end the key and make none")

    def handle(self, *args: Any, **options: Any) -> None:
        name = clean_name(options["name"])
        if not options["revoke"]:
            self.stdout.write(make_operator_key(name=name))
            return
        if not revoke_operator_key(name=name):
            raise CommandError(f"There is no key of {name}.")
        self.stdout.write(f"revoked: {name}")
