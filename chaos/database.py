"""Direct queries on the stack's database, each on a new connection."""

import os
from typing import Any

from django.db.utils import ConnectionHandler

from chaos.waiting import until
from chatsystem.databases import database


def query(sql: str, *parameters: str | int, name: str = "") -> list[tuple[Any, ...]]:
    """The rows that a statement returns; in the database of this name, if it is not the usual."""
    settings = database(os.environ["DATABASE_URL"])
    if name:
        settings["NAME"] = name
    connection = ConnectionHandler({"default": settings})["default"]
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())
    finally:
        connection.close()


def authority() -> tuple[str, int]:
    """The source of numbers, and its epoch."""
    [(source, epoch)] = query("SELECT source, epoch FROM number_authority")
    return source, epoch


def until_numbers_are_of(source: str, within: float = 60) -> None:
    """Wait until `source` assigns all numbers, `within` seconds. Raises ChaosError."""
    others = "SELECT 1 FROM number_authority WHERE source <> %s LIMIT 1"
    until(lambda: not query(others, source), f"numbers of {source}", within)
