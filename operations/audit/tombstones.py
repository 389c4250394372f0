"""Erased rows: nothing is left of their values, and no other row lacks a required one."""

from collections.abc import Iterator

from django.db.models import Max, Q

from ingest.erasure import letters_of_row
from ingest.records import RecordType
from operations.audit.checks import Check, Cursor, Finding, error

#: Rows that one query reads, by primary key.
ROWS = 10_000


def tombstones_of(kind: RecordType) -> Check:
    """The check of the erased rows of a type, and of dead letters under their numbers."""

    def run(cursor: Cursor) -> Iterator[Finding]:
        rows = kind.model._default_manager.order_by("pk")
        last = rows.aggregate(last=Max("pk"))["last"] or 0
        begin = int(cursor.after[0]) if cursor.after else 0
        for first in range(begin, last, ROWS):
            some = rows.filter(pk__gt=first, pk__lte=first + ROWS)
            erased = list(some.exclude(erased_at=None).values_list(*kind.key_fields))
            for *parent, number in some.filter(_is_wrong(kind)).values_list(*kind.key_fields):
                what = "has a value left, or none without being erased"
                yield error("tombstones", parent, f"{kind.name} {number} {what}")
            for *parent, number in erased:
                if letters_of_row(kind, (*parent, number)).exists():
                    what = f"{kind.name} {number} is erased, and a dead letter has its number"
                    yield error("tombstones", parent, what)
            cursor.reached([first + ROWS], ROWS)

    return Check(f"tombstones of {kind.name}", run)


def _is_wrong(kind: RecordType) -> Q:
    """The condition of rows that are neither whole nor erased."""
    blank = Q(**dict(zip(kind.field_names, kind.blank_values, strict=True)))
    required = Q(**{each.name: "" for each in kind.fields if each.is_required})
    return (Q(erased_at__isnull=False) & ~blank) | (Q(erased_at=None) & required)
