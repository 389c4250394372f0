"""Statistics of the stored rows of many parents, in short statements.

A parent with many children is counted in pieces of consecutive numbers. A repeated acceptance is
noticed only within one piece, which is where a row numbered twice would be.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Min, QuerySet

from infra.natural_keys import behind, with_keys
from ingest.models import Parent
from ingest.records import Key, RecordType
from listing import parent_rows

PARENTS_PAGE = 200
#: One statement counts at most about this many rows.
PIECE = 100_000


@dataclass(frozen=True, slots=True)
class Stats:
    """The stored rows of one parent; `acceptances` counts the different acceptance IDs."""

    rows: int = 0
    lowest: int = 0
    highest: int = 0
    acceptances: int = 0

    def with_higher(self, other: "Stats") -> "Stats":
        """The sum of both; all numbers of `other` are higher."""
        if not self.rows or not other.rows:
            return self if self.rows else other
        acceptances = self.acceptances + other.acceptances
        return Stats(self.rows + other.rows, self.lowest, other.highest, acceptances)


def pages(kind: RecordType, after: Sequence[Any] | None) -> Iterator[list[Parent]]:
    """All parents of such rows in the order of their keys, grouped to be counted quickly."""
    rows = kind.parent._default_manager.order_by(*kind.parent_fields)
    while page := list(rows.filter(behind(kind.parent_fields, after))[:PARENTS_PAGE]):
        yield from _split_by_rows(page)
        after = page[-1].key


def _split_by_rows(parents: Sequence[Parent]) -> Iterator[list[Parent]]:
    group: list[Parent] = []
    rows = 0
    for parent in parents:
        most = _max_rows(parent)
        if group and rows + most > PIECE:
            yield group
            group, rows = [], 0
        group.append(parent)
        rows += most
    if group:
        yield group


def _max_rows(parent: Parent) -> int:
    """An upper bound of the stored children; a raised ceiling may lie far above it."""
    ceiling = parent.number_ceiling
    return ceiling if ceiling <= PIECE else parent_rows.number_spread(parent.key)


def stats_of(
    kind: RecordType, parents: Sequence[Parent], pause: Callable[[], object] = lambda: None
) -> Mapping[Key, Stats]:
    """The statistics of such rows by parent; parents without rows are left out.

    `pause` is called between statements.
    """
    if len(parents) == 1 and _max_rows(parents[0]) > PIECE:
        return {parents[0].key: _in_pieces(kind, parents[0].key, pause)}
    *shared, _ = kind.key_fields
    wanted = with_keys(shared, [parent.key for parent in parents])
    return dict(_grouped(kind, kind.model._default_manager.filter(wanted)))


def _in_pieces(kind: RecordType, parent: Key, pause: Callable[[], object]) -> Stats:
    number = kind.number_field
    rows = kind.rows(parent)
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
