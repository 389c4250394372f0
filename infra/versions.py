"""Changes that are made only while a row still has a version that the client has seen.

The comparison is part of the UPDATE: of two rivals that saw the same version one changes the row
and the other is told, however close they come.
"""

from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from infra.errors import Stale

#: Of a row that was never edited.
FIRST_VERSION = 1


@dataclass(frozen=True)
class Versions:
    """The versions on which a change is made: one of `seen` (None: any), and none of `known`."""

    seen: frozenset[int] | None = None
    known: frozenset[int] = frozenset()

    def condition(self) -> Q:
        """The same of the column `version`."""
        wanted = ~Q(version__in=self.known)
        return wanted if self.seen is None else wanted & Q(version__in=self.seen)


def update_if_version(rows: "QuerySet[Any]", expected: Versions | None, **values: Any) -> bool:
    """Give the one row new values and its next version; False where there is no such row.

    Raises Stale when its version is not an expected one; None expects nothing.
    """
    wanted = rows if expected is None else rows.filter(expected.condition())
    if wanted.update(**values, updated_at=timezone.now(), version=F("version") + 1):
        return True
    # Not "is there a row": one that came from the queue in between may well be as expected.
    if expected is not None and rows.exclude(expected.condition()).exists():
        raise Stale
    return False
