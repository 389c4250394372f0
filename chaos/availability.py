"""How much of the load succeeded: the share during a fault, and the longest silence."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from chaos.evidence import Sort, Violation
from chaos.journal import Attempt
from chaos.requests import CREATES, READS, Kind

#: Kinds of requests that are reported as one share.
GROUPS = {"creates": CREATES, "reads": READS, "edits": frozenset({Kind.EDIT})}


def shares(attempts: Sequence[Attempt], sent_from: float) -> Mapping[str, float]:
    """The share of creates, reads and edits sent since `sent_from` that succeeded."""
    found = {}
    for group, kinds in GROUPS.items():
        outcomes = [
            attempt.is_success
            for attempt in attempts
            if attempt.request.kind in kinds and attempt.sent_at >= sent_from
        ]
        found[group] = sum(outcomes) / len(outcomes) if outcomes else 1.0
    return found


def unavailable(found: Mapping[str, float], required: float | None) -> Iterator[Violation]:
    """A violation for each group whose share is below the required one."""
    for group, share in found.items():
        if required is not None and share < required:
            yield Violation(Sort.UNAVAILABLE, f"{share:.2%} of the {group} succeeded")


def longest_silences(attempts: Sequence[Attempt]) -> Mapping[str, float]:
    """The longest time in seconds without a successful request, by kind."""
    if not attempts:
        return {}
    began = min(attempt.sent_at for attempt in attempts)
    ended = max(attempt.answered_at for attempt in attempts)
    found = {}
    for kind in Kind:
        done = sorted(
            attempt.answered_at
            for attempt in attempts
            if attempt.request.kind is kind and attempt.is_success
        )
        found[str(kind)] = max(
            later - earlier for earlier, later in pairwise([began, *done, ended])
        )
    return found
