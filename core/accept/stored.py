"""Whose the stored rows are."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from core.natural_keys import with_keys
from core.rows import Key, Kind, NumberedRow

_PARENTS_A_QUERY = 100

Numbers = Mapping[Key, Sequence[int]]


def acceptances(rows: Iterable[NumberedRow]) -> dict[tuple[str, Key], str]:
    """The acceptances of what is stored under the keys of these rows, by kind and key."""
    numbers: defaultdict[Kind, defaultdict[Key, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        numbers[row.kind][row.parent].append(row.number)
    return {
        (kind.name, tuple(key)): acceptance.hex
        for kind, of_kind in numbers.items()
        for *key, acceptance in _read(kind, of_kind)
    }


def _read(kind: Kind, numbers: Numbers) -> Iterator[tuple[Any, ...]]:
    """Key and acceptance of the rows that are stored."""
    parents = iter(numbers.items())
    while some := list(islice(parents, _PARENTS_A_QUERY)):
        keys = ((*parent, number) for parent, of_parent in some for number in of_parent)
        stored = kind.model._default_manager.filter(with_keys(kind.key_fields, keys))
        yield from stored.values_list(*kind.key_fields, "acceptance")
