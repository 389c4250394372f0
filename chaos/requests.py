"""The requests that a client of the load sends, and what they are told by.

Each new row's text begins with a name that is never used again, and edits keep it: so whatever a
row went through, it is known which request made it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chaos.parent import Parent

#: Of a list as many rows are asked for as are cheap to keep in the journal.
LISTED = 5


class Kind(StrEnum):
    """What is asked for."""

    CHAT = "chat"
    MESSAGE = "message"
    BULK = "bulk"
    EDIT = "edit"
    READ = "read"
    LIST = "list"
    SEARCH = "search"


CREATES = frozenset({Kind.CHAT, Kind.MESSAGE, Kind.BULK})
READS = frozenset({Kind.READ, Kind.LIST})


@dataclass(frozen=True, slots=True)
class Request:
    """`texts` are those of the rows to make, of an edit, or what is searched for.

    `number` is the row's that is edited, read, or first in the list. `key` is the Idempotency-Key.
    """

    kind: Kind
    parent: Parent
    texts: tuple[str, ...] = ()
    number: int = 0
    key: str = ""

    @property
    def creates(self) -> bool:
        """Whether it makes rows."""
        return self.kind in CREATES

    @property
    def method(self) -> str:
        """Of HTTP."""
        return "POST" if self.creates else "PUT" if self.kind is Kind.EDIT else "GET"

    @property
    def path(self) -> str:
        """Below the API's base path."""
        children = self.parent.children
        return {
            Kind.CHAT: children,
            Kind.MESSAGE: children,
            Kind.BULK: f"{children}/bulk",
            Kind.EDIT: f"{children}/{self.number}",
            Kind.READ: f"{children}/{self.number}",
            Kind.LIST: f"{children}?after={self.number - 1}&limit={LISTED}",
            Kind.SEARCH: f"{children}/search?limit={LISTED}&query={''.join(self.texts)}",
        }[self.kind]

    @property
    def document(self) -> Mapping[str, Any] | None:
        """What it says."""
        if self.kind is Kind.BULK:
            return {"messages": [{"body": text} for text in self.texts]}
        if self.creates or self.kind is Kind.EDIT:
            return {self.parent.field: self.texts[0]}
        return None

    @property
    def headers(self) -> Mapping[str, str]:
        """Those that are not the same for all."""
        return {"Idempotency-Key": self.key} if self.key else {}


def name_in(text: str) -> str:
    """The name that a row's text begins with."""
    return text.partition(" ")[0]
