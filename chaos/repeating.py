"""Repeat requests with their idempotency keys after healing."""

from collections.abc import Iterator, Sequence

from chaos.client import Client
from chaos.journal import Attempt, Journal
from chaos.writer import send

#: One in this many successful creates is repeated.
_ONE_IN = 20


def repeat(attempts: Sequence[Attempt], journal: Journal) -> int:
    """Repeat every create with a key that failed, and some that succeeded. Return how many."""
    with Client() as http:
        done = 0
        for attempt in _to_repeat(attempts):
            journal.append(send(http, attempt.client, attempt.request, is_repeat=True))
            done += 1
    return done


def _to_repeat(attempts: Sequence[Attempt]) -> Iterator[Attempt]:
    keyed = [attempt for attempt in attempts if attempt.request.key]
    yield from (attempt for attempt in keyed if not attempt.is_success)
    yield from [attempt for attempt in keyed if attempt.is_success][::_ONE_IN]
