"""A connection to the database that ends at an unlucky moment."""

import os
import socket
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection


def lose_connection() -> None:
    """End this thread's connection below the driver, as one ends that leads to a lost server."""
    connection.ensure_connection()
    connection.health_check_done = True  # type: ignore[attr-defined] # the stubs lack it
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


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
