"""Checks that each acknowledged row is stored once, under its number."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from chaos.evidence import Evidence, Sort, Stored, Violation
from chaos.journal import Attempt
from chaos.parent import Parent, Row
from chaos.requests import Kind, name_in


def answered_is_stored(evidence: Evidence) -> Iterator[Violation]:
    """An acknowledged row is stored under the number in the response."""
    places = _places(evidence.texts)
    for row in promised(evidence.accepted):
        found = places.get(name_in(row.text), set())
        if (row.parent, row.number) not in found:
            sort = Sort.RENUMBERED if found else Sort.LOST
            yield Violation(sort, f"answered {_place(row)} {name_in(row.text)}, stored {found}")


def nothing_is_doubled(evidence: Evidence) -> Iterator[Violation]:
    """No row is stored twice, and no number was acknowledged for two rows."""
    for name, found in _places(evidence.texts).items():
        if len(found) > 1:
            yield Violation(Sort.DOUBLED, f"{name} is stored at {found}")
    names: defaultdict[tuple[Parent, int], set[str]] = defaultdict(set)
    for row in promised(evidence.accepted):
        names[row.parent, row.number].add(name_in(row.text))
    for place, given in names.items():
        if len(given) > 1:
            yield Violation(Sort.DOUBLED, f"{place} was answered for {given}")


def numbers_have_no_gaps(evidence: Evidence) -> Iterator[Violation]:
    """Numbers are 1..N, except for gaps that a recorded skip explains."""
    for parent, rows in evidence.texts.items():
        known = evidence.skips.get(parent, ())
        for missing in missing_runs(rows):
            if missing[-1] + 1 not in known:
                yield Violation(Sort.GAP, f"{parent} lacks {missing[0]} to {missing[-1]}")


def requests_are_whole(evidence: Evidence) -> Iterator[Violation]:
    """A bulk request's messages are stored all or none, in order, with consecutive numbers."""
    places = _places(evidence.texts)
    for attempt in evidence.attempts:
        if attempt.request.kind is not Kind.BULK:
            continue
        names = list(map(name_in, attempt.request.texts))
        found = [sorted(places.get(name, set())) for name in names]
        numbers = [number for each in found for _, number in each[:1]]
        if numbers and numbers != list(range(numbers[0], numbers[0] + len(names))):
            yield Violation(Sort.TORN, f"{names[0]} and what follows it is stored at {found}")


def missing_runs(numbers: Iterable[int]) -> list[range]:
    """The runs of missing numbers between 1 and the highest."""
    return [range(low + 1, high) for low, high in pairwise([0, *sorted(numbers)]) if high > low + 1]


def promised(accepted: Iterable[Attempt]) -> Iterator[Row]:
    """The acknowledged rows, with the texts that were sent."""
    for attempt in accepted:
        texts = attempt.request.texts
        numbers = [row.number for row in attempt.rows]
        # Rows missing in the response count as lost: number 0.
        numbers += [0] * (len(texts) - len(numbers))
        for number, text in zip(numbers, texts, strict=True):
            yield Row(attempt.request.parent, number, text)


def _places(texts: Stored) -> Mapping[str, set[tuple[Parent, int]]]:
    places: defaultdict[str, set[tuple[Parent, int]]] = defaultdict(set)
    for parent, rows in texts.items():
        for number, text in rows.items():
            places[name_in(text)].add((parent, number))
    return places


def _place(row: Row) -> str:
    return f"{row.parent} {row.number}"
