"""What a check is, and how it rechecks what looked wrong at first.

A quick check is cheap and may see rows that are in transit as missing. Only the recheck of a
suspect yields findings. The suspects of many pages are rechecked together, so the wait for rows in
the queues happens once a thousand suspects and not once each.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from infra.rabbitmq.connection import BrokerUnavailable, messages_waiting
from infra.redis_client import redis_is_configured
from infra.timeouts import WORKER_HOLDS_SECONDS
from ingest.records import Key, record_types
from operations.audit.findings import Finding
from operations.audit.redis_state import epoch_of_blocks, existing_authority

#: A check rechecks at most this many suspects at once.
MAX_SUSPECTS = 1000
MAX_WAIT_SECONDS = 20.0
POLL_SECONDS = 0.2

#: A key in the order in which a check reads its rows.
Position = Sequence[str | int]


@dataclass(frozen=True)
class Cursor:
    """The progress of one check: where it starts, and how it reports how far it is."""

    after: Position | None
    """Start behind this position; None: at the beginning."""
    reached: Callable[[Position | None, int], None]
    """Called with the position up to which all findings are reported (None: unchanged) and the
    number of rows passed since the last call. Raises if the audit is interrupted."""

    def pause(self) -> None:
        """Let an interruption end the audit here, without progress."""
        self.reached(None, 0)


@dataclass(frozen=True)
class Check:
    """One part of an audit. An unreachable service is a finding, or its error is raised."""

    name: str
    run: Callable[[Cursor], Iterator[Finding]]


_registered: list[Check] = []


def register(check: Check) -> None:
    """Add a check; the application that owns the checked data calls this in ready()."""
    if check not in _registered:
        _registered.append(check)


def registered() -> Sequence[Check]:
    """The checks of higher layers."""
    return _registered


@dataclass(frozen=True, slots=True)
class QuickCheck:
    """The result of one page of a quick check; `passed` is the number of its rows."""

    position: Position
    passed: int
    suspects: list[Key]


def recheck(
    cursor: Cursor, pages: Iterable[QuickCheck], closely: Callable[[Key], Iterator[Finding]]
) -> Iterator[Finding]:
    """The findings of `closely` for the suspects of all pages."""
    suspects: list[Key] = []
    position: Position | None = None
    for page in pages:
        position = page.position
        suspects += page.suspects
        cursor.reached(None if suspects else position, page.passed)
        if len(suspects) >= MAX_SUSPECTS:
            yield from _recheck(cursor, suspects, closely)
            suspects = []
            cursor.reached(position, 0)
    yield from _recheck(cursor, suspects, closely)
    cursor.reached(position, 0)


def _recheck(
    cursor: Cursor, suspects: list[Key], closely: Callable[[Key], Iterator[Finding]]
) -> Iterator[Finding]:
    if suspects:
        await_queues(cursor)
    for suspect in suspects:
        yield from closely(suspect)
        cursor.pause()


def await_queues(cursor: Cursor) -> None:
    """Wait up to 20 seconds while rows may be in a queue and nowhere else.

    That happens after Redis lost data, or while it is down; otherwise every queued row is pending
    in Redis, too.
    """
    authority = existing_authority()
    if (
        not redis_is_configured()
        or authority is None
        or (authority.is_drained and epoch_of_blocks() is not None)
    ):
        return
    until = time.monotonic() + MAX_WAIT_SECONDS
    while _is_queued() and time.monotonic() < until:
        _wait(cursor, POLL_SECONDS)
    # Rows that a worker took from the queue a moment ago are in no place that can be read.
    _wait(cursor, WORKER_HOLDS_SECONDS)


def _is_queued() -> bool:
    try:
        return messages_waiting(*record_types()) > 0
    except BrokerUnavailable:
        return False


def _wait(cursor: Cursor, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        cursor.pause()
        time.sleep(min(left, POLL_SECONDS))
