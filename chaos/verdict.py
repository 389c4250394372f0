"""What must be true of everything that was answered: pure functions of journal and stored rows.

The guarantees are those of docs/reliability.md. Nothing that is found is excused but a gap that is
recorded as a skip, and rows that a list shows late while Redis is away.
"""

from collections.abc import Callable, Iterator, Sequence

from chaos import answers, rows, shown
from chaos.evidence import Evidence, Violation

CHECKS: Sequence[Callable[[Evidence], Iterator[Violation]]] = (
    rows.answered_is_stored,
    rows.nothing_is_doubled,
    rows.numbers_have_no_gaps,
    rows.requests_are_whole,
    shown.texts_are_those_sent,
    shown.own_writes_are_read,
    shown.hits_are_of_the_chat,
    answers.numbers_rise_for_each_client,
    answers.repeats_are_answered_alike,
    answers.failures_are_honest,
)


def judge(evidence: Evidence) -> list[Violation]:
    """Every violation."""
    return [violation for check in CHECKS for violation in check(evidence)]
