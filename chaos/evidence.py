"""What a verdict is about: what was answered, what is stored, and what was found to be broken."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from chaos.journal import Attempt
from chaos.parent import Parent

Stored = Mapping[Parent, Mapping[int, str]]
NEVER = (0.0, 0.0)


class Sort(StrEnum):
    """What was broken."""

    LOST = "lost"
    DOUBLED = "doubled"
    RENUMBERED = "renumbered"
    GAP = "gap"
    TORN = "torn"
    STRANGER = "stranger"
    EDIT_LOST = "edit lost"
    ORDER = "order"
    UNREAD = "unread"
    FOREIGN = "foreign hit"
    REPLAY = "replay"
    DISHONEST = "dishonest failure"
    SHOWN = "shown otherwise"
    INDEX = "index"
    COUNT = "count"
    SET_ASIDE = "set aside"
    AUDIT = "audit"
    UNAVAILABLE = "unavailable"
    UNHEALED = "unhealed"


@dataclass(frozen=True, slots=True)
class Violation:
    """One finding; `detail` names what it is about."""

    sort: Sort
    detail: str


@dataclass(frozen=True)
class Evidence:
    """What was answered, and what the database holds of it once all is stored.

    `texts`: the stored rows. `skips`: with which numbers numbering is known to have gone on.
    `lists_late`: when lists may miss what is still queued, since Redis was away (from, to).
    """

    attempts: Sequence[Attempt]
    texts: Stored
    skips: Mapping[Parent, Collection[int]] = field(default_factory=dict)
    lists_late: tuple[float, float] = NEVER

    @property
    def accepted(self) -> list[Attempt]:
        """Creates that were answered 201, repeats included."""
        return [attempt for attempt in self.attempts if attempt.is_accepted]
