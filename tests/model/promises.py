"""The promises made to clients, recorded from each 2xx response and nothing else."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Shown = Mapping[str, Any]


@dataclass(frozen=True)
class Sort:
    """A kind of numbered items: its list's route, and the fields with number and text."""

    route: str
    number: str
    text: str


CHATS = Sort("chats", "chat_number", "name")
MESSAGES = Sort("messages", "message_number", "body")


@dataclass(eq=False)
class Item:
    """An application, a chat or a message that a client received.

    `children`: items created in it, by number; `open`: texts of creates with unknown outcome, each
    as often as it may have been stored. `is_lost`: it was pending in a Redis that has lost its data
    since. `indexed`: its text when the index last matched the table.
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
        """The name or body; that of an erased message is empty."""
        return self.shown[self.text_field] or ""

    @property
    def is_erased(self) -> bool:
        """Whether it is a message that was erased."""
        return "erased_at" in self.shown

    @property
    def sort(self) -> Sort:
        """The kind of its children."""
        assert self.holds is not None
        return self.holds

    @property
    def list_path(self) -> str:
        """The path of its children's list."""
        return f"{self.path}/{self.sort.route}"

    @property
    def family(self) -> Iterator["Item"]:
        """The item and all its descendants."""
        yield self
        for child in self.children.values():
            yield from child.family

    def learn(self, shown: Shown, etag: str | None) -> None:
        """Record the response to a create or an edit."""
        assert etag is None or etag not in self.by_etag, f"{self}: {etag} was shown before"
        self.shown = shown
        self.etag = etag
        if etag:
            self.by_etag[etag] = shown

    def check(self, shown: Shown, etag: str | None = None) -> None:
        """Assert that the item is shown as promised, and identically under the same entity tag."""
        assert _uncounted(shown) == _uncounted(self.shown), f"{self} was {self.shown}"
        if etag is None:
            return
        assert self.by_etag.setdefault(etag, shown) == shown, f"{self} under {etag}"
        if self.holds is None:
            assert self.etag in (None, etag), f"{self} has changed by itself"
        self.etag = etag

    def new_child(self, shown: Shown, etag: str | None) -> "Item":
        """Record a new child of the item."""
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
    """A newly registered application."""
    application = Item(name, f"/applications/{shown['token']}", "name", shown, holds=CHATS)
    application.learn(shown, etag)
    return application


@dataclass(eq=False)
class Repeatable:
    """A request with an Idempotency-Key, and its responses.

    There is more than one response only if the key was forgotten as permitted. `items`: the items
    promised by them. `is_open`: it was sent once with unknown outcome.
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
    """The item as JSON without its counts, which a job updates now and then."""
    return json.dumps({name: shown[name] for name in shown if not name.endswith("_count")})
