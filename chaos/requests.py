"""The requests that a client of the load sends.

Each new row's text begins with a unique name, and edits keep it. So each row can be traced to the
request that created it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chaos.parent import Parent

#: The limit of a list request; small, because the journal keeps the rows.
LISTED = 5


class Kind(StrEnum):
    """The kind of a request."""

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
    """`texts`: the texts of the new rows or of the edit, or the search query.

    `number`: the row to edit, to read, or to begin the list with. `key`: the Idempotency-Key.
    """

    kind: Kind
    parent: Parent
    texts: tuple[str, ...] = ()
    number: int = 0
    key: str = ""

    @property
    def creates(self) -> bool:
        """Whether the request creates rows."""
        return self.kind in CREATES

    @property
    def method(self) -> str:
        """The HTTP method."""
        return "POST" if self.creates else "PUT" if self.kind is Kind.EDIT else "GET"

    @property
    def path(self) -> str:
        """The path, relative to the API's base path."""
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
        """The JSON body, or None."""
        if self.kind is Kind.BULK:
            return {"messages": [{"body": text} for text in self.texts]}
        if self.creates or self.kind is Kind.EDIT:
            return {self.parent.field: self.texts[0]}
        return None

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers specific to this request."""
        return {"Idempotency-Key": self.key} if self.key else {}


def name_in(text: str) -> str:
    """The name at the start of a row's text."""
    return text.partition(" ")[0]
