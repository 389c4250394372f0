"""Whose the stored rows are."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from core.accept.dead_letters import MAX_NUMBER
from core.accept.purged import late
from core.natural_keys import in_pieces
from core.rows import Key, Kind, NumberedRow


def acceptances(rows: Iterable[NumberedRow]) -> dict[tuple[str, Key], str]:
    """The acceptances of what is stored under the keys of these rows, by kind and key."""
    keys: defaultdict[Kind, list[Key]] = defaultdict(list)
    for row in rows:
        keys[row.kind].append(row.key)
    return {
        (kind.name, tuple(key)): acceptance.hex
        for kind, of_kind in keys.items()
        for *key, acceptance in _read(kind, of_kind)
    }


def not_stored(rows: Sequence[NumberedRow]) -> list[NumberedRow]:
    """Those that are not in their tables, because nothing is there or another row.

    What was purged is not missed.
    """
    possible = [row for row in rows if row.number <= MAX_NUMBER]
    stored = acceptances(possible)
    purged = {row.acceptance for row in late(possible)}
    return [
        row
        for row in rows
        if stored.get((row.kind.name, row.key)) != row.acceptance and row.acceptance not in purged
    ]


def _read(kind: Kind, keys: Sequence[Key]) -> Iterator[tuple[Any, ...]]:
    """Key and acceptance of the rows that are stored."""
    for wanted in in_pieces(kind.key_fields, keys):
        stored = kind.model._default_manager.filter(wanted)
        yield from stored.values_list(*kind.key_fields, "acceptance")
