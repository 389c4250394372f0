"""The stack's database as it is, past the application: a new connection for every look."""

import os
from typing import Any

from django.db.utils import ConnectionHandler

from chaos.waiting import until
from chatsystem.databases import database


def query(sql: str, *parameters: str | int) -> list[tuple[Any, ...]]:
    """The rows that a statement finds."""
    settings = {"default": database(os.environ["DATABASE_URL"])}
    connection = ConnectionHandler(settings)["default"]
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())
    finally:
        connection.close()


def authority() -> tuple[str, int]:
    """Who gives numbers, and in which epoch."""
    [(source, epoch)] = query("SELECT source, epoch FROM number_authority")
    return source, epoch


def until_numbers_are_of(source: str, within: float = 60) -> None:
    """Return when this one gives numbers."""
    until(lambda: authority()[0] == source, f"numbers of {source}", within)
