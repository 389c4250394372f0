"""Counting the children of many parents at once, in statements that end soon.

A parent with many children is counted in pieces of consecutive numbers; only within such a piece it
is noticed that an acceptance is there twice, which is where a row that was numbered twice would be.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Min, QuerySet

from infra.natural_keys import behind, with_keys
from ingest.models import Parent
from ingest.records import Key, RecordType
from listing import parent_rows

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


def pages(kind: RecordType, after: Sequence[Any] | None) -> Iterator[list[Parent]]:
    """All parents of such rows in the order of their keys, as many at once as are counted soon."""
    rows = kind.parent._default_manager.order_by(*kind.parent_fields)
    while page := list(rows.filter(behind(kind.parent_fields, after))[:PARENTS]):
        yield from _light(page)
        after = page[-1].key


def _light(parents: Sequence[Parent]) -> Iterator[list[Parent]]:
    some: list[Parent] = []
    together = 0
    for parent in parents:
        most = _most(parent)
        if some and together + most > PIECE:
            yield some
            some, together = [], 0
        some.append(parent)
        together += most
    if some:
        yield some


def _most(parent: Parent) -> int:
    """At most so many children are stored; a ceiling may have been raised far above them."""
    ceiling = parent.number_ceiling
    return ceiling if ceiling <= PIECE else parent_rows.number_spread(parent.key)


def stats_of(
    kind: RecordType, parents: Sequence[Parent], pause: Callable[[], object] = lambda: None
) -> Mapping[Key, Stats]:
    """What there is of such rows, by parent; those without any are left out.

    `pause` is called between statements.
    """
    if len(parents) == 1 and _most(parents[0]) > PIECE:
        return {parents[0].key: _in_pieces(kind, parents[0].key, pause)}
    *shared, _ = kind.key_fields
    wanted = with_keys(shared, [parent.key for parent in parents])
    return dict(_grouped(kind, kind.model._default_manager.filter(wanted)))


def children(kind: RecordType, parent: Key) -> "QuerySet[Any]":
    """The rows of this parent."""
    *shared, _ = kind.key_fields
    return kind.model._default_manager.filter(**dict(zip(shared, parent, strict=True)))


def _in_pieces(kind: RecordType, parent: Key, pause: Callable[[], object]) -> Stats:
    number = kind.key_fields[-1]
    rows = children(kind, parent)
    found = Stats()
    for piece in parent_rows.number_ranges(parent, PIECE):
        here = rows.filter(**{f"{number}__gte": piece.start, f"{number}__lt": piece.stop})
        found = found.with_higher(dict(_grouped(kind, here)).get(parent, Stats()))
        pause()
    return found


def _grouped(kind: RecordType, rows: "QuerySet[Any]") -> Iterator[tuple[Key, Stats]]:
    *shared, number = kind.key_fields
    groups = rows.order_by().values_list(*shared).annotate(
        Count("pk"), Min(number), Max(number), Count("acceptance", distinct=True)
    )  # fmt: skip
    for *key, count, lowest, highest, acceptances in groups:
        yield tuple(key), Stats(count, lowest, highest, acceptances)
