"""Looking twice: what looks wrong at a glance is looked at closely, and only then told.

A glance is cheap and may catch rows on their way. The suspects of many pages are put together, so
that rows which nobody can see are waited for once and not for each.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ingest.records import Key
from operations.audit.checks import Position, Walk
from operations.audit.findings import Finding
from operations.audit.trusted import await_queues

MOST = 1000


@dataclass(frozen=True, slots=True)
class Glance:
    """Some rows were passed, up to this position; these of them look wrong."""

    position: Position
    passed: int
    suspects: list[Key]


def look_twice(
    walk: Walk, glances: Iterable[Glance], closely: Callable[[Key], Iterator[Finding]]
) -> Iterator[Finding]:
    """What is found of the suspects by looking closely."""
    waiting: list[Key] = []
    position: Position | None = None
    for glance in glances:
        position = glance.position
        waiting += glance.suspects
        walk.reached(None if waiting else position, glance.passed)
        if len(waiting) >= MOST:
            yield from _judged(walk, waiting, closely)
            waiting = []
            walk.reached(position, 0)
    yield from _judged(walk, waiting, closely)
    walk.reached(position, 0)


def _judged(
    walk: Walk, suspects: list[Key], closely: Callable[[Key], Iterator[Finding]]
) -> Iterator[Finding]:
    if suspects:
        await_queues(walk)
    for suspect in suspects:
        yield from closely(suspect)
        walk.pause()
