"""The guarantees of docs/reliability.md, checked by pure functions of journal and stored rows.

Only two deviations are allowed: a gap recorded as a skip, and a list that lacks pending rows while
Redis is down.
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
    """The violations found by all checks."""
    return [violation for check in CHECKS for violation in check(evidence)]
