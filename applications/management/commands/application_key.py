"""`manage.py application_key`: make or replace the key of an application."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from applications.services import HasKey, first_key, rotate_key
from infra.commands import LineCommand, utf8


class Command(LineCommand):
    help = (
        "Make the key of an application that has none yet, such as an imported one, and print it "
        "on the last line. It cannot be shown again. With --rotate, replace an existing key, which "
        "stops working within a second. Exit status 1 if there is no such application, if it has a "
        "key and --rotate is not given, or if the database is unavailable."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("token", type=utf8, metavar="TOKEN", help="the application's token")
        parser.add_argument("--rotate", action="store_true", help="replace the existing key")

    def handle(self, *args: Any, **options: Any) -> None:
        make = rotate_key if options["rotate"] else first_key
        try:
            key = make(token=options["token"])
        except HasKey as error:
            raise CommandError(f"{error.detail} --rotate replaces it.") from None
        self.stdout.write(key)
