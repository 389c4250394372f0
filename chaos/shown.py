"""Checks of texts: stored as sent, and visible to the client that wrote them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from chaos.evidence import Evidence, Sort, Violation
from chaos.journal import Attempt
from chaos.load import by_client
from chaos.parent import Parent
from chaos.requests import Kind, name_in
from chaos.rows import promised


def texts_are_those_sent(evidence: Evidence) -> Iterator[Violation]:
    """Each stored text was sent for its row, and no acknowledged edit is lost."""
    allowed = _allowed_texts(evidence.attempts)
    sent = _sent_texts(evidence.attempts)
    for parent, rows in evidence.texts.items():
        for number, text in rows.items():
            if text not in sent[name_in(text)]:
                yield Violation(Sort.STRANGER, f"{parent} {number} holds {text[:80]!r}")
            elif text not in allowed.get((parent, number), {text}):
                yield Violation(Sort.EDIT_LOST, f"{parent} {number} still holds {text[:80]!r}")


def own_writes_are_read(evidence: Evidence) -> Iterator[Violation]:
    """A client reads its own creates and edits at once."""
    for attempts in by_client(evidence.attempts).values():
        known: dict[tuple[Parent, int], set[str]] = {}
        for attempt in attempts:
            if attempt.request.kind in {Kind.READ, Kind.LIST} and attempt.is_success:
                yield from _misread(attempt, known, evidence.lists_late)
            _learn(known, attempt)


def hits_are_of_the_chat(evidence: Evidence) -> Iterator[Violation]:
    """A search returns only messages of its chat that contain the query."""
    for attempt in evidence.attempts:
        if attempt.request.kind is not Kind.SEARCH:
            continue
        for row in attempt.rows:
            if row.parent != attempt.request.parent or attempt.request.texts[0] not in row.text:
                asked = f"{attempt.request.parent} for {attempt.request.texts[0]!r}"
                yield Violation(Sort.FOREIGN, f"{asked} was shown {row}")


def _sent_texts(attempts: Iterable[Attempt]) -> Mapping[str, set[str]]:
    sent: defaultdict[str, set[str]] = defaultdict(set)
    for attempt in attempts:
        if attempt.request.kind is not Kind.SEARCH:
            for text in attempt.request.texts:
                sent[name_in(text)].add(text)
    return sent


def _allowed_texts(attempts: Sequence[Attempt]) -> Mapping[tuple[Parent, int], set[str]]:
    """Texts of the last acknowledged write and of later edits with unknown outcome, by row."""
    known: dict[tuple[Parent, int], set[str]] = {}
    for of_client in by_client(attempts).values():
        for attempt in of_client:
            if not attempt.is_repeat:
                _learn(known, attempt)
    return known


def _learn(known: dict[tuple[Parent, int], set[str]], attempt: Attempt) -> None:
    if attempt.is_accepted:
        for row in promised([attempt]):
            known[row.parent, row.number] = {row.text}
    elif attempt.request.kind is Kind.EDIT:
        place = (attempt.request.parent, attempt.request.number)
        if attempt.is_success:
            known[place] = set(attempt.request.texts)
        elif place in known:
            known[place] |= set(attempt.request.texts)


def _misread(
    attempt: Attempt,
    known: Mapping[tuple[Parent, int], set[str]],
    lists_late: tuple[float, float],
) -> Iterator[Violation]:
    request = attempt.request
    asked = (request.parent, request.number)
    if not any((row.parent, row.number) == asked for row in attempt.rows):
        late_from, late_to = lists_late
        if request.kind is Kind.READ or not late_from <= attempt.answered_at <= late_to:
            yield Violation(Sort.UNREAD, f"{request.path} does not show {asked}")
    for row in attempt.rows:
        if row.text not in known.get((row.parent, row.number), {row.text}):
            yield Violation(Sort.UNREAD, f"{request.path} shows {row}")
