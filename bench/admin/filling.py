"""A table so large that a page which counts or sorts it would be noticed.

Half of the missing rows go into one chat, the rest into others. The numbers are made up, not taken
from the product, so each chat's ceiling is raised over them. The rows stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from bench import product, texts
from bench.client import Client
from bench.database import Database
from bench.product import API, Chat
from bench.raw_insert import insert, rows_of

_OTHERS = 9
_BODIES = 20_000
_AT_ONCE = 20_000
#: The chat that is searched through the product, so its messages come by the product.
_SEARCHED = 200


@dataclass(frozen=True)
class Filled:
    """What was made: the largest chat, how many messages it has, and one that can be searched."""

    largest: Chat
    size: int
    searched: Chat


def fill(base_url: str, database: Database, messages: int) -> Filled:
    """See to it that the table has so many rows."""
    bodies = texts.bodies(_BODIES)
    searched = _say(base_url, bodies[:_SEARCHED])
    missing = max(0, messages - database.number("SELECT COUNT(*) FROM messages"))
    if not missing:
        return Filled(*_largest(database), searched)
    largest, *others = [product.new_chat(base_url) for _ in range(1 + _OTHERS)]
    half = missing // 2
    _add(database, largest, bodies, half)
    for chat in others:
        _add(database, chat, bodies, (missing - half) // _OTHERS + 1)
    return Filled(largest, half, searched)


def _add(database: Database, chat: Chat, bodies: Sequence[str], count: int) -> None:
    said = cycle(bodies)
    for first in range(1, count + 1, _AT_ONCE):
        some = list(islice(said, min(_AT_ONCE, count + 1 - first)))
        insert(database, "messages", rows_of(chat, some, first))
    product.raise_ceiling(database, chat, count)


def _say(base_url: str, bodies: Sequence[str]) -> Chat:
    chat = product.new_chat(base_url)
    path = f"{API}/applications/{chat.token}/chats/{chat.number}/messages"
    with Client(base_url) as client:
        for body in bodies:
            client.create(path, body=body)
    return chat


def _largest(database: Database) -> tuple[Chat, int]:
    [[token, number, size]] = database.execute(
        "SELECT application_token, chat_number, COUNT(*) AS size FROM messages"
        " GROUP BY application_token, chat_number ORDER BY size DESC LIMIT 1"
    )
    return Chat(str(token), int(number)), int(size)
