"""The promises made to clients, recorded from each 2xx response and nothing else."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Shown = Mapping[str, Any]


@dataclass(frozen=True)
class Sort:
    """Numbered items: the route of their list, and which fields tell their number and text."""

    route: str
    number: str
    text: str


CHATS = Sort("chats", "chat_number", "name")
MESSAGES = Sort("messages", "message_number", "body")


@dataclass(eq=False)
class Item:
    """An application, a chat or a message that a client was told of.

    `children`: what was created in it, by number; `open`: texts of creates whose outcome nobody
    was told, each as often as it may have been stored. `is_lost`: it pended in a Redis that has
    lost its data since. `indexed`: its text when the index was in step with the table last.
    """

    name: str
    path: str
    text_field: str
    shown: Shown
    parent: "Item | None" = None
    number: int = 0
    holds: Sort | None = None
    etag: str | None = None
    by_etag: dict[str, Shown] = field(default_factory=dict)
    children: dict[int, "Item"] = field(default_factory=dict)
    open: Counter[str] = field(default_factory=Counter)
    highest: int = 0
    is_lost: bool = False
    indexed: str | None = None

    def __repr__(self) -> str:
        return self.name

    @property
    def text(self) -> str:
        """Its name or body."""
        return str(self.shown[self.text_field])

    @property
    def sort(self) -> Sort:
        """What it holds."""
        assert self.holds is not None
        return self.holds

    @property
    def list_path(self) -> str:
        """Where its children are listed."""
        return f"{self.path}/{self.sort.route}"

    @property
    def family(self) -> Iterator["Item"]:
        """Itself, and all below it."""
        yield self
        for child in self.children.values():
            yield from child.family

    def learn(self, shown: Shown, etag: str | None) -> None:
        """It was created or edited just now, and then this was shown."""
        assert etag is None or etag not in self.by_etag, f"{self}: {etag} was shown before"
        self.shown = shown
        self.etag = etag
        if etag:
            self.by_etag[etag] = shown

    def check(self, shown: Shown, etag: str | None = None) -> None:
        """This is what it was promised to show; the same under the same entity tag for ever."""
        assert _uncounted(shown) == _uncounted(self.shown), f"{self} was {self.shown}"
        if etag is None:
            return
        assert self.by_etag.setdefault(etag, shown) == shown, f"{self} under {etag}"
        if self.holds is None:
            assert self.etag in (None, etag), f"{self} has changed by itself"
        self.etag = etag

    def new_child(self, shown: Shown, etag: str | None) -> "Item":
        """This was created in it."""
        sort = self.sort
        number = shown[sort.number]
        assert number not in self.children, f"{self}: {number} was given before"
        child = Item(
            f"{self.name}/{number}",
            f"{self.list_path}/{number}",
            sort.text,
            shown,
            self,
            number,
            MESSAGES if sort is CHATS else None,
        )
        child.learn(shown, etag)
        self.children[number] = child
        self.highest = max(self.highest, number)
        return child


def new_application(name: str, shown: Shown, etag: str) -> Item:
    """The application that was registered."""
    application = Item(name, f"/applications/{shown['token']}", "name", shown, holds=CHATS)
    application.learn(shown, etag)
    return application


@dataclass(eq=False)
class Repeatable:
    """A request with an Idempotency-Key, and what it was answered.

    There are several answers only where a key was forgotten that might be. `items`: what they
    promise. `is_open`: it was sent once without an answer that tells the outcome.
    """

    name: str
    parent: Item
    path: str
    key: str
    body: Mapping[str, Any]
    texts: list[str]
    answers: list[Any] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    is_open: bool = False

    def __repr__(self) -> str:
        return self.name


def _uncounted(shown: Shown) -> str:
    """Without the counts, which a job makes true from time to time."""
    return json.dumps({name: shown[name] for name in shown if not name.endswith("_count")})
