"""The log of a server, and its streams."""

from typing import Any

import httpx

from chaos.listener import Listener
from tests.live.servers import eventually

WITHIN = 30


def log(http: httpx.Client, application: str) -> list[Any]:
    """All entries of the log."""
    entries: list[Any] = []
    address: str | None = f"{application}/events?limit=200"
    while address:
        page = http.get(address).json()
        entries += page["results"]
        address = page["next"]
    return entries


def opened(listener: Listener) -> Listener:
    eventually(lambda: listener.is_open, WITHIN, "the stream has begun")
    return listener
