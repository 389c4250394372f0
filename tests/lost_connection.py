"""A connection to the database that its server closes."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection


def lose_connection() -> None:
    """Let the server close this thread's connection, as one that moves or ends does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        [own] = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("KILL CONNECTION %s", [own])
    other.close()


def lose_connection_once(
    module: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], int]:
    """Lose it before the first call of this function; the result counts the calls."""
    function, calls = getattr(module, name), 0

    def call(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            lose_connection()
        return function(*given)

    monkeypatch.setattr(module, name, call)
    return lambda: calls
