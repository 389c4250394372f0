"""Changes of rows, and the subscribers that learn of them within the same transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ingest.records import Key


class Action(StrEnum):
    """What a transaction does to rows."""

    CREATED = "created"
    UPDATED = "updated"
    ERASED = "erased"
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class RowChange:
    """What a transaction does to rows of one table.

    `versions` are those that updated and erased rows have afterwards, by key.
    """

    table: str
    action: Action
    keys: Sequence[Key]
    versions: Mapping[Key, int] = field(default_factory=dict)


#: Each gets all changes that are announced. Owners of higher layers add theirs in ready().
subscribers: list[Callable[[Sequence[RowChange]], None]] = []


def announce(*changes: RowChange) -> None:
    """Pass the changes of the transaction under way to all subscribers.

    What they write is there exactly if the changes are. They may lock applications, in the order of
    the tokens, so a transaction announces all its changes at once, when it has locked all rows.
    """
    for subscriber in subscribers:
        subscriber(changes)
