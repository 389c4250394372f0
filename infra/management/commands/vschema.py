"""`manage.py vschema`: what Vitess must know of the tables, made from the models."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import connection

from infra.commands import LineCommand, utf8
from infra.vitess.vschema import routing_rules, vschema

ROUTING_RULES = "routing-rules"


class Command(LineCommand):
    """Prints JSON for vtctldclient's ApplyVSchema and ApplyRoutingRules."""

    help = (
        "Print what Vitess must know of the tables: the VSchema of a keyspace for ApplyVSchema, or "
        f"`{ROUTING_RULES}` for ApplyRoutingRules; without an argument all of it, by these names. "
        "It reads the models and needs no database, only DATABASE_URL=vitess://…"
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The part to print."""
        parser.add_argument("part", nargs="?", type=utf8, help="a keyspace, or routing-rules")

    def handle(self, *, part: str | None, **_: Any) -> None:
        """Print the JSON in one line."""
        if connection.settings_dict["ENGINE"] != "infra.vitess":
            raise CommandError(
                "DATABASE_URL does not begin with vitess:// and so names no keyspace"
            )
        keyspace = str(connection.settings_dict["NAME"])
        parts = {**vschema(keyspace), ROUTING_RULES: routing_rules(keyspace)}
        if part is not None and part not in parts:
            raise CommandError(f"{part} is none of {', '.join(parts)}")
        self.print_json(parts if part is None else parts[part])
