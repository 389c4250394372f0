"""Checks of the responses: order of numbers, repeated requests, failures."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from chaos.evidence import Evidence, Sort, Violation
from chaos.journal import Attempt
from chaos.load import by_client
from chaos.parent import Parent


def numbers_rise_for_each_client(evidence: Evidence) -> Iterator[Violation]:
    """A client that waits for each response gets rising numbers in each parent."""
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


def repeats_are_answered_alike(evidence: Evidence) -> Iterator[Violation]:
    """A repeat after healing succeeds; it is a replay if the first request had succeeded."""
    accepted = {done.request.key for done in evidence.accepted if not done.is_repeat}
    for attempt in evidence.attempts:
        if not attempt.is_repeat:
            continue
        if not attempt.is_success:
            yield Violation(Sort.REPLAY, f"repeated {attempt.request.key}: {attempt.status}")
        elif attempt.request.key in accepted and not attempt.is_replayed:
            yield Violation(Sort.REPLAY, f"{attempt.request.key} was done anew")


def failures_are_honest(evidence: Evidence) -> Iterator[Violation]:
    """A failed request gets no response, or 409 or 503 with Retry-After."""
    for attempt in evidence.attempts:
        if attempt.is_success or attempt.status == 0:
            continue
        if attempt.status not in {409, 503} or not attempt.retry_after:
            detail = f"{attempt.status} {attempt.problem!r}, Retry-After {attempt.retry_after}"
            request = f"{attempt.request.method} {attempt.request.path}"
            yield Violation(Sort.DISHONEST, f"{request}: {detail}")
