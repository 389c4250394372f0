"""What clients of a chat ask for, mixed: mostly new messages and items, now and then the rest."""

import random
from collections.abc import Mapping
from urllib.parse import quote

from bench.requests import Request
from bench.texts import bodies

#: So many messages the chat must have when the load begins; those are read.
EXISTING = 500

_REQUESTS = 2000
_SEARCHED_CHARACTERS = 4
_NEW = ""
#: How many of a hundred requests are of which kind, by what follows the address of the messages.
_SHARES: Mapping[str, int] = {
    _NEW: 45,
    "/{number}": 45,
    "?after={number}": 8,
    "/search?query={text}": 2,
}


def mixture(messages_path: str, seed: int = 11) -> list[Request]:
    """Requests to one chat, the same ones each time."""
    source = random.Random(seed)
    kinds = source.choices(list(_SHARES), list(_SHARES.values()), k=_REQUESTS)
    return [
        _request(messages_path, kind, body, source.randint(1, EXISTING))
        for kind, body in zip(kinds, bodies(_REQUESTS), strict=True)
    ]


def _request(messages_path: str, kind: str, body: str, number: int) -> Request:
    if kind == _NEW:
        return Request("POST", messages_path, {"body": body})
    text = quote(body[:_SEARCHED_CHARACTERS])
    return Request("GET", messages_path + kind.format(number=number, text=text))
