"""Optimistic locking: a change is made only if the row still has a version that the client saw.

The comparison is part of the UPDATE. So of two rivals that saw the same version, one changes the
row and the other gets an error, however close they come.
"""

from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from infra.errors import Stale

#: The version of a row that was never updated.
FIRST_VERSION = 1


@dataclass(frozen=True)
class Versions:
    """The versions that may be changed: one of `seen` (None: any), and none of `known`."""

    seen: frozenset[int] | None = None
    known: frozenset[int] = frozenset()

    def condition(self) -> Q:
        """The condition on the column `version`."""
        wanted = ~Q(version__in=self.known)
        return wanted if self.seen is None else wanted & Q(version__in=self.seen)


def update_if_version(rows: "QuerySet[Any]", expected: Versions | None, **values: Any) -> bool:
    """Give the row new values and its next version; False if there is no such row.

    Raises Stale if its version is not an expected one; None expects nothing.
    """
    wanted = rows if expected is None else rows.filter(expected.condition())
    if wanted.update(**values, updated_at=timezone.now(), version=F("version") + 1):
        return True
    # Not simply "does the row exist": a row that was stored in between may be as expected.
    if expected is not None and rows.exclude(expected.condition()).exists():
        raise Stale
    return False
