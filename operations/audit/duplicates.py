"""Rows that are there twice."""

from collections.abc import Iterator

from django.db import connection
from django.db.models import Count

from infra.natural_keys import behind
from ingest.records import Key, RecordType, record_types
from operations.audit.checks import Walk
from operations.audit.findings import Finding, error
from operations.audit.stats import children

NAMED = 100


def repeated_acceptances(kind: RecordType, parent: Key) -> Iterator[Finding]:
    """Rows of this parent that are one row, accepted once and stored under several numbers."""
    number = kind.key_fields[-1]
    rows = children(kind, parent).order_by()
    repeated = rows.values_list("acceptance").annotate(n=Count("pk")).filter(n__gt=1)
    for acceptance, _ in repeated[:NAMED]:
        same = rows.filter(acceptance=acceptance).order_by(number)
        numbers = ", ".join(map(str, same.values_list(number, flat=True)[:NAMED]))
        yield error("duplicates", parent, f"{kind.name} {numbers} were accepted as one")


def unique_keys(walk: Walk) -> Iterator[Finding]:
    """That the database lets no key be there twice; where it would, the keys that are."""
    for kind in record_types().values():
        walk.pause()
        table = kind.model._meta.db_table
        if not _is_unique(table, kind.key_fields):
            yield error("duplicates", (), f"{table} has no unique index of its key")
            yield from _repeated_keys(kind, walk)


def _is_unique(table: str, fields: tuple[str, ...]) -> bool:
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, table)
    return any(
        about["unique"] and tuple(about["columns"]) == fields for about in constraints.values()
    )


def _repeated_keys(kind: RecordType, walk: Walk) -> Iterator[Finding]:
    fields = kind.key_fields
    groups = kind.model._default_manager.order_by(*fields).values_list(*fields)
    repeated = groups.annotate(n=Count("pk")).filter(n__gt=1)
    page = repeated[:NAMED]
    while found := list(page):
        for *parent, number, times in found:
            yield error("duplicates", parent, f"{kind.name} {number} is stored {times} times")
        walk.pause()
        page = repeated.filter(behind(fields, found[-1][:-1]))[:NAMED]
