"""Counting the children of many parents at once, in statements that end soon.

A parent with many children is counted in pieces of consecutive numbers; only within such a piece it
is noticed that an acceptance is there twice, which is where a row that was numbered twice would be.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from django.db.models import Count, Max, Min, QuerySet

from core.models import Parent
from core.natural_keys import behind, with_keys
from core.rows import Key, Kind

PARENTS = 200
#: At most about so many rows are counted by one statement.
PIECE = 100_000


@dataclass(frozen=True, slots=True)
class Stats:
    """The rows of one parent: how many, their numbers, and how many acceptances they have."""

    rows: int = 0
    lowest: int = 0
    highest: int = 0
    acceptances: int = 0

    def with_higher(self, other: "Stats") -> "Stats":
        """These, and others whose numbers are all higher."""
        if not self.rows or not other.rows:
            return self if self.rows else other
        acceptances = self.acceptances + other.acceptances
        return Stats(self.rows + other.rows, self.lowest, other.highest, acceptances)


def pages(kind: Kind, after: Sequence[Any] | None) -> Iterator[list[Parent]]:
    """All parents of such rows in the order of their keys, as many at once as are counted soon."""
    rows = kind.parent._default_manager.order_by(*kind.parent_fields)
    while page := list(rows.filter(behind(kind.parent_fields, after))[:PARENTS]):
        yield from _light(page)
        after = page[-1].key


def _light(parents: Sequence[Parent]) -> Iterator[list[Parent]]:
    some: list[Parent] = []
    most = 0
    for parent in parents:
        if some and most + parent.number_ceiling > PIECE:
            yield some
            some, most = [], 0
        some.append(parent)
        most += parent.number_ceiling
    if some:
        yield some


def stats_of(kind: Kind, parents: Sequence[Parent]) -> Mapping[Key, Stats]:
    """What there is of such rows, by parent; those without any are left out."""
    if len(parents) == 1 and parents[0].number_ceiling > PIECE:
        return {parents[0].key: _in_pieces(kind, parents[0])}
    *shared, _ = kind.key_fields
    wanted = with_keys(shared, [parent.key for parent in parents])
    return dict(_grouped(kind, kind.model._default_manager.filter(wanted)))


def children(kind: Kind, parent: Key) -> "QuerySet[Any]":
    """The rows of this parent."""
    *shared, _ = kind.key_fields
    return kind.model._default_manager.filter(**dict(zip(shared, parent, strict=True)))


def _in_pieces(kind: Kind, parent: Parent) -> Stats:
    number = kind.key_fields[-1]
    rows = children(kind, parent.key)
    pieces = [
        rows.filter(**{f"{number}__gte": first, f"{number}__lt": first + PIECE})
        for first in range(0, parent.number_ceiling + 1, PIECE)
    ]
    above = rows.filter(**{f"{number}__gte": (parent.number_ceiling // PIECE + 1) * PIECE})
    found = (dict(_grouped(kind, piece)).get(parent.key, Stats()) for piece in [*pieces, above])
    return reduce(Stats.with_higher, found)


def _grouped(kind: Kind, rows: "QuerySet[Any]") -> Iterator[tuple[Key, Stats]]:
    *shared, number = kind.key_fields
    groups = rows.order_by().values_list(*shared).annotate(
        Count("pk"), Min(number), Max(number), Count("acceptance", distinct=True)
    )  # fmt: skip
    for *key, count, lowest, highest, acceptances in groups:
        yield tuple(key), Stats(count, lowest, highest, acceptances)
