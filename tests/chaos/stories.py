"""A short faultless load, which tests modify until it contains an error.

Two clients write to one chat: messages, a bulk create of three, an edit. They read, list and
search, and repeat one request.
"""

from dataclasses import replace
from typing import Any

from chaos.evidence import Evidence
from chaos.journal import Attempt
from chaos.parent import Parent, Row
from chaos.requests import Kind, Request

APPLICATION = Parent("app")
CHAT = Parent("app", 1)
OTHER_CHAT = Parent("app", 2)

_BULK = ("n-1-2.0 a", "n-1-2.1 b", "n-1-2.2 c")
_TEXTS = {1: "n-0-1 edit-1 mended", 2: "n-1-1 hello", **dict(enumerate(_BULK, 3)), 6: "n-0-2 bye"}


def done(client: int, at: float, request: Request, *rows: tuple[int, str], **other: Any) -> Attempt:
    """A request sent at this second, and its response with these rows half a second later."""
    shown = tuple(Row(request.parent, number, text) for number, text in rows)
    outcome = {"status": 201 if request.creates else 200, **other}
    return Attempt(client, request, at, at + 0.5, rows=shown, **outcome)


def message(name: str, text: str) -> Request:
    """A create with an idempotency key."""
    return Request(Kind.MESSAGE, CHAT, (text,), key=name)


STORY = {
    "chat": done(-1, 0, Request(Kind.CHAT, APPLICATION, ("n-c home",), key="n-c"), (1, "n-c home")),
    "first": done(0, 1, message("n-0-1", "n-0-1 mesnded"), (1, "n-0-1 mesnded")),
    "second": done(1, 2, message("n-1-1", "n-1-1 hello"), (2, "n-1-1 hello")),
    "read": done(0, 3, Request(Kind.READ, CHAT, number=1), (1, "n-0-1 mesnded")),
    "edit": done(0, 4, Request(Kind.EDIT, CHAT, (_TEXTS[1],), 1), (1, _TEXTS[1])),
    "list": done(0, 5, Request(Kind.LIST, CHAT, number=1), (1, _TEXTS[1]), (2, _TEXTS[2])),
    "bulk": done(1, 6, Request(Kind.BULK, CHAT, _BULK, key="n-1-2"), *enumerate(_BULK, 3)),
    "search": done(1, 7, Request(Kind.SEARCH, CHAT, ("n-",)), (2, _TEXTS[2])),
    "failed": done(0, 8, message("n-0-2", "n-0-2 bye"), status=503, retry_after="1"),
    "repeat": done(0, 20, message("n-0-2", "n-0-2 bye"), (6, "n-0-2 bye"), is_repeat=True),
    "replay": done(
        1, 21, message("n-1-1", "n-1-1 hello"), (2, _TEXTS[2]), is_repeat=True, is_replayed=True
    ),
}


class Story:
    """The responses by name, and the stored texts; tests modify both."""

    def __init__(self) -> None:
        self.attempts = dict(STORY)
        self.texts: dict[Parent, dict[int, str]] = {
            APPLICATION: {1: "n-c home"},
            CHAT: dict(_TEXTS),
        }
        self.skips: dict[Parent, set[int]] = {}
        self.lists_late = (0.0, 0.0)

    def change(self, name: str, **values: Any) -> None:
        """Change the outcome of one attempt."""
        self.attempts[name] = replace(self.attempts[name], **values)

    def rename(self, old: int, new: int) -> None:
        """Store a message of the chat under another number."""
        self.texts[CHAT][new] = self.texts[CHAT].pop(old)

    @property
    def evidence(self) -> Evidence:
        """The evidence for the verdict."""
        return Evidence(list(self.attempts.values()), self.texts, self.skips, self.lists_late)
