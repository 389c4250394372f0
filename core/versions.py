"""Changes that are made only while a row still has a version that the client has seen.

The comparison is part of the UPDATE: of two rivals that saw the same version one changes the row
and the other is told, however close they come.
"""

from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from core.errors import Stale

Versions = frozenset[int]

#: Of a row that was never edited.
FIRST = 1


def change_row(rows: "QuerySet[Any]", expected: Versions | None, **values: Any) -> bool:
    """Give the one row new values and its next version; False where there is no such row.

    Raises Stale when it has none of the `expected` versions; None expects nothing.
    """
    wanted = rows if expected is None else rows.filter(version__in=expected)
    if wanted.update(**values, updated_at=timezone.now(), version=F("version") + 1):
        return True
    # Not "is there a row": one that came from the queue in between may well be as expected.
    if expected is not None and rows.exclude(version__in=expected).exists():
        raise Stale
    return False
