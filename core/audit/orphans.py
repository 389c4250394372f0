"""Rows whose parent is not there. They may arrive before it, so it is waited for."""

from collections.abc import Iterator
from functools import partial

from core.accept.models import DeadLetter
from core.audit.checks import Check, Position, Walk
from core.audit.findings import Finding, error, info
from core.audit.gaps import skip_of
from core.audit.suspects import Glance, look_twice
from core.natural_keys import behind, in_pieces
from core.redis.client import is_configured
from core.redis.keys import parent_name
from core.redis.pending import find_pending
from core.rows import Key, Kind, kind_of

PARENTS = 1000


def parents_of(kind: Kind) -> Check:
    """The check that such rows have their parents."""

    def run(walk: Walk) -> Iterator[Finding]:
        return look_twice(walk, _glances(kind, walk), partial(_look_closely, kind))

    return Check(f"parents of {kind.name}", run)


def without_parent(kind: Kind, after: Position | None) -> Iterator[tuple[Position, int, list[Key]]]:
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


def _glances(kind: Kind, walk: Walk) -> Iterator[Glance]:
    return (Glance(*page) for page in without_parent(kind, walk.after))


def _look_closely(kind: Kind, parent: Key) -> Iterator[Finding]:
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
    return len(key) > 1 and is_configured() and find_pending(key) is not None


def _is_set_aside(key: Key) -> bool:
    """Then it is a finding of its own."""
    *grandparent, number = key
    if not grandparent:
        return False
    kind = kind_of(tuple(grandparent))
    name = parent_name(grandparent)
    return DeadLetter.objects.filter(kind=kind.name, parent=name, number=number).exists()
