"""Rows whose parent is not there. They may arrive before it, so it is waited for."""

from collections.abc import Iterator
from functools import partial

from infra.natural_keys import behind, in_pieces
from infra.redis_client import redis_is_configured
from ingest.dead_letters.models import DeadLetter
from ingest.pending import find_pending
from ingest.records import Key, RecordType, record_type_of_parent
from ingest.redis_keys import parent_name
from operations.audit.checks import Check, Position, Walk
from operations.audit.findings import Finding, error, info
from operations.audit.gaps import skip_of
from operations.audit.suspects import Glance, look_twice

PARENTS = 1000


def parents_of(kind: RecordType) -> Check:
    """The check that such rows have their parents."""

    def run(walk: Walk) -> Iterator[Finding]:
        return look_twice(walk, _glances(kind, walk), partial(_look_closely, kind))

    return Check(f"parents of {kind.name}", run)


def without_parent(
    kind: RecordType, after: Position | None
) -> Iterator[tuple[Position, int, list[Key]]]:
    """Page by page: the last parent that was looked for, how many were, and which are missing."""
    *shared, _ = kind.key_fields
    keys = kind.model._default_manager.order_by(*shared).values_list(*shared).distinct()
    while found := [tuple(key) for key in keys.filter(behind(shared, after))[:PARENTS]]:
        there = {
            tuple(key)
            for wanted in in_pieces(kind.parent_fields, found)
            for key in kind.parent._default_manager.filter(wanted).values_list(*kind.parent_fields)
        }
        yield found[-1], len(found), [key for key in found if key not in there]
        after = found[-1]


def _glances(kind: RecordType, walk: Walk) -> Iterator[Glance]:
    return (Glance(*page) for page in without_parent(kind, walk.after))


def _look_closely(kind: RecordType, parent: Key) -> Iterator[Finding]:
    if _is_pending(parent) or kind.parent_row(parent).exists() or _is_set_aside(parent):
        return
    detail = f"{kind.name} are stored, and what they belong to is not"
    *grandparent, number = parent
    skip = skip_of(tuple(grandparent), int(number)) if grandparent else None
    if skip is None:
        yield error("orphans", parent, detail)
    else:
        yield info("orphans", parent, f"{detail}: {skip.reason}")


def _is_pending(key: Key) -> bool:
    return len(key) > 1 and redis_is_configured() and find_pending(key) is not None


def _is_set_aside(key: Key) -> bool:
    """Then it is a finding of its own."""
    *grandparent, number = key
    if not grandparent:
        return False
    kind = record_type_of_parent(tuple(grandparent))
    name = parent_name(grandparent)
    return DeadLetter.objects.filter(kind=kind.name, parent=name, number=number).exists()
