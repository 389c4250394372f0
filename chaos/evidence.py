"""Input and output of a verdict: responses, stored rows, and violations."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from chaos.journal import Attempt
from chaos.parent import Parent

Stored = Mapping[Parent, Mapping[int, str]]
NEVER = (0.0, 0.0)


class Sort(StrEnum):
    """The type of a violation."""

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
    UNHEARD = "unheard"
    INVENTED = "invented"
    UNORDERED = "unordered"
    AUDIT = "audit"
    UNAVAILABLE = "unavailable"
    UNHEALED = "unhealed"


@dataclass(frozen=True, slots=True)
class Violation:
    """One finding; `detail` names the row or request."""

    sort: Sort
    detail: str


@dataclass(frozen=True)
class Evidence:
    """The attempts of a load, and the database after all pending rows are stored.

    `texts`: the stored rows. `skips`: the numbers at which numbering resumed after a recorded skip.
    `lists_late`: the time (from, to) in which lists may lack pending rows because Redis was down.
    """

    attempts: Sequence[Attempt]
    texts: Stored
    skips: Mapping[Parent, Collection[int]] = field(default_factory=dict)
    lists_late: tuple[float, float] = NEVER

    @property
    def accepted(self) -> list[Attempt]:
        """Successful creates, including repeats."""
        return [attempt for attempt in self.attempts if attempt.is_accepted]
