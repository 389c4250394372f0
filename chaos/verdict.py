"""What must be true of everything that was answered: pure functions of journal and stored rows.

The guarantees are those of docs/reliability.md. What is found is a violation each, told by its
sort; none is excused here but a gap that is recorded as a skip, and rows that a list may show late.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from chaos.journal import Attempt
from chaos.load import by_client
from chaos.parent import Parent, Row
from chaos.requests import Kind, name_in

Stored = Mapping[Parent, Mapping[int, str]]
NEVER = (0.0, 0.0)


class Sort(StrEnum):
    """What was broken."""

    LOST = "lost"
    DOUBLED = "doubled"
    RENUMBERED = "renumbered"
    GAP = "gap"
    TORN = "torn"
    STRANGER = "stranger"
    EDIT_LOST = "edit lost"
    ORDER = "order"
    UNREAD = "unread"
    FOREIGN = "foreign hit"
    REPLAY = "replay"
    DISHONEST = "dishonest failure"
    SHOWN = "shown otherwise"
    INDEX = "index"
    COUNT = "count"
    SET_ASIDE = "set aside"
    AUDIT = "audit"
    UNAVAILABLE = "unavailable"
    UNHEALED = "unhealed"


@dataclass(frozen=True, slots=True)
class Violation:
    """One finding; `detail` names what it is about."""

    sort: Sort
    detail: str


@dataclass(frozen=True)
class Evidence:
    """What was answered, and what the database holds of it once all is stored.

    `texts`: the stored rows. `skips`: with which numbers numbering is known to have gone on.
    `lists_late`: when lists may miss what is still queued, since Redis was away (from, to).
    """

    attempts: Sequence[Attempt]
    texts: Stored
    skips: Mapping[Parent, Collection[int]] = field(default_factory=dict)
    lists_late: tuple[float, float] = NEVER

    @property
    def accepted(self) -> list[Attempt]:
        """Creates that were answered 201, repeats included."""
        return [attempt for attempt in self.attempts if attempt.is_accepted]


def judge(evidence: Evidence) -> list[Violation]:
    """Every violation."""
    return [violation for check in CHECKS for violation in check(evidence)]


def answered_is_stored(evidence: Evidence) -> Iterator[Violation]:
    """A row that was answered 201 is in its table, under the number of the answer."""
    places = _places(evidence.texts)
    for row in _promised(evidence.accepted):
        found = places.get(name_in(row.text), set())
        if (row.parent, row.number) not in found:
            sort = Sort.RENUMBERED if found else Sort.LOST
            yield Violation(sort, f"answered {_place(row)} {name_in(row.text)}, stored {found}")


def nothing_is_doubled(evidence: Evidence) -> Iterator[Violation]:
    """No row is stored twice, and no number was answered for two rows."""
    for name, found in _places(evidence.texts).items():
        if len(found) > 1:
            yield Violation(Sort.DOUBLED, f"{name} is stored at {found}")
    names: defaultdict[tuple[Parent, int], set[str]] = defaultdict(set)
    for row in _promised(evidence.accepted):
        names[row.parent, row.number].add(name_in(row.text))
    for place, given in names.items():
        if len(given) > 1:
            yield Violation(Sort.DOUBLED, f"{place} was answered for {given}")


def numbers_have_no_gaps(evidence: Evidence) -> Iterator[Violation]:
    """Numbers are 1..N, but for those right below one with which they are known to have gone on."""
    for parent, rows in evidence.texts.items():
        known = evidence.skips.get(parent, ())
        for missing in missing_runs(rows):
            if missing[-1] + 1 not in known:
                yield Violation(Sort.GAP, f"{parent} lacks {missing[0]} to {missing[-1]}")


def requests_are_whole(evidence: Evidence) -> Iterator[Violation]:
    """Of many messages in one request all are stored, in their order and one after the other."""
    places = _places(evidence.texts)
    for attempt in evidence.attempts:
        if attempt.request.kind is not Kind.BULK:
            continue
        names = list(map(name_in, attempt.request.texts))
        found = [sorted(places.get(name, set())) for name in names]
        numbers = [number for each in found for _, number in each[:1]]
        if numbers and numbers != list(range(numbers[0], numbers[0] + len(names))):
            yield Violation(Sort.TORN, f"{names[0]} and what follows it is stored at {found}")


def texts_are_those_sent(evidence: Evidence) -> Iterator[Violation]:
    """Each stored text is one that was sent for this row, and no edit that was answered is lost."""
    allowed = _allowed_texts(evidence.attempts)
    sent = _sent_texts(evidence.attempts)
    for parent, rows in evidence.texts.items():
        for number, text in rows.items():
            if text not in sent[name_in(text)]:
                yield Violation(Sort.STRANGER, f"{parent} {number} holds {text!r}")
            elif text not in allowed.get((parent, number), {text}):
                yield Violation(Sort.EDIT_LOST, f"{parent} {number} still holds {text!r}")


def numbers_rise_for_each_client(evidence: Evidence) -> Iterator[Violation]:
    """Who waits for each answer gets rising numbers, in each chat."""
    first_times = [attempt for attempt in evidence.accepted if not attempt.is_repeat]
    for client, attempts in by_client(first_times).items():
        in_parent: defaultdict[Parent, list[Attempt]] = defaultdict(list)
        for attempt in attempts:
            in_parent[attempt.request.parent].append(attempt)
        for parent, accepted in in_parent.items():
            for earlier, later in pairwise(accepted):
                if earlier.rows[-1].number >= later.number:
                    detail = f"{earlier.rows[-1].number}, then {later.number}"
                    yield Violation(Sort.ORDER, f"client {client} got in {parent} {detail}")


def own_writes_are_read(evidence: Evidence) -> Iterator[Violation]:
    """What a client made or edited, it is shown, at once."""
    for attempts in by_client(evidence.attempts).values():
        known: dict[tuple[Parent, int], set[str]] = {}
        for attempt in attempts:
            if attempt.request.kind in {Kind.READ, Kind.LIST} and attempt.is_success:
                yield from _misread(attempt, known, evidence.lists_late)
            _learn(known, attempt)


def hits_are_of_the_chat(evidence: Evidence) -> Iterator[Violation]:
    """A search shows messages of its chat that hold what was searched for."""
    for attempt in evidence.attempts:
        if attempt.request.kind is not Kind.SEARCH:
            continue
        for row in attempt.rows:
            if row.parent != attempt.request.parent or attempt.request.texts[0] not in row.text:
                asked = f"{attempt.request.parent} for {attempt.request.texts[0]!r}"
                yield Violation(Sort.FOREIGN, f"{asked} was shown {row}")


def repeats_are_answered_alike(evidence: Evidence) -> Iterator[Violation]:
    """A repeat after all is healed succeeds, as a replay where the first time had succeeded."""
    accepted = {done.request.key for done in evidence.accepted if not done.is_repeat}
    for attempt in evidence.attempts:
        if not attempt.is_repeat:
            continue
        if not attempt.is_success:
            yield Violation(Sort.REPLAY, f"repeated {attempt.request.key}: {attempt.status}")
        elif attempt.request.key in accepted and not attempt.is_replayed:
            yield Violation(Sort.REPLAY, f"{attempt.request.key} was done anew")


def failures_are_honest(evidence: Evidence) -> Iterator[Violation]:
    """What fails is not answered at all, or 503 or 409 with a time to come again."""
    for attempt in evidence.attempts:
        if attempt.is_success or attempt.status == 0:
            continue
        if attempt.status not in {409, 503} or not attempt.retry_after:
            detail = f"{attempt.status} {attempt.problem!r}, Retry-After {attempt.retry_after}"
            request = f"{attempt.request.method} {attempt.request.path}"
            yield Violation(Sort.DISHONEST, f"{request}: {detail}")


CHECKS: Sequence[Callable[[Evidence], Iterator[Violation]]] = (
    answered_is_stored,
    nothing_is_doubled,
    numbers_have_no_gaps,
    requests_are_whole,
    texts_are_those_sent,
    numbers_rise_for_each_client,
    own_writes_are_read,
    hits_are_of_the_chat,
    repeats_are_answered_alike,
    failures_are_honest,
)


def missing_runs(numbers: Iterable[int]) -> list[range]:
    """The runs of numbers that are missing from 1 to the highest."""
    return [range(low + 1, high) for low, high in pairwise([0, *sorted(numbers)]) if high > low + 1]


def _promised(accepted: Iterable[Attempt]) -> Iterator[Row]:
    """The rows that were answered, under the texts that were sent."""
    for attempt in accepted:
        texts = attempt.request.texts
        numbers = [row.number for row in attempt.rows]
        # An answer that shows fewer rows than were sent has lost the others.
        numbers += [0] * (len(texts) - len(numbers))
        for number, text in zip(numbers, texts, strict=True):
            yield Row(attempt.request.parent, number, text)


def _places(texts: Stored) -> Mapping[str, set[tuple[Parent, int]]]:
    places: defaultdict[str, set[tuple[Parent, int]]] = defaultdict(set)
    for parent, rows in texts.items():
        for number, text in rows.items():
            places[name_in(text)].add((parent, number))
    return places


def _sent_texts(attempts: Iterable[Attempt]) -> Mapping[str, set[str]]:
    sent: defaultdict[str, set[str]] = defaultdict(set)
    for attempt in attempts:
        if attempt.request.kind is not Kind.SEARCH:
            for text in attempt.request.texts:
                sent[name_in(text)].add(text)
    return sent


def _allowed_texts(attempts: Sequence[Attempt]) -> Mapping[tuple[Parent, int], set[str]]:
    """The text of the last edit that was answered, and of later ones whose outcome is open."""
    known: dict[tuple[Parent, int], set[str]] = {}
    for of_client in by_client(attempts).values():
        for attempt in of_client:
            if not attempt.is_repeat:
                _learn(known, attempt)
    return known


def _learn(known: dict[tuple[Parent, int], set[str]], attempt: Attempt) -> None:
    if attempt.is_accepted:
        for row in _promised([attempt]):
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


def _place(row: Row) -> str:
    return f"{row.parent} {row.number}"
