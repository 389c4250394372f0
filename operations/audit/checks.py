"""What a check of the audit is, what it finds, and how it rechecks what looked wrong at first.

A quick check is cheap and may see rows that are in transit as missing. Only the recheck of a
suspect yields findings. The suspects of many pages are rechecked together, so the wait for rows in
the queues happens once a thousand suspects and not once each.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from infra.rabbitmq.connection import BrokerUnavailable, messages_waiting
from infra.redis_client import redis_is_configured
from infra.timeouts import WORKER_HOLDS_SECONDS
from ingest.records import Key, record_types
from operations.audit.redis_state import shows_all_queued

#: A report keeps this many findings of each check and severity, and counts the rest.
MAX_KEPT = 100


class Severity(StrEnum):
    """Whether an operator has to act."""

    ERROR = "error"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a check. `key` begins with the token, then the number of the chat."""

    check: str
    severity: Severity
    key: Sequence[Any]
    detail: str

    def as_object(self) -> dict[str, Any]:
        """The finding as JSON."""
        token, chat_number, *_ = (*self.key, None, None)
        return {
            "check": self.check,
            "severity": self.severity.value,
            "application_token": token,
            "chat_number": chat_number,
            "detail": self.detail,
        }


def error(check: str, key: Sequence[Any], detail: str) -> Finding:
    """A guarantee is broken, or an operator has to act to keep it."""
    return Finding(check, Severity.ERROR, key, detail)


def info(check: str, key: Sequence[Any], detail: str) -> Finding:
    """A known state that needs no action."""
    return Finding(check, Severity.INFO, key, detail)


def unreachable(service: str, reason: object) -> Finding:
    """An error: the data of an unreachable service were not checked."""
    return error("unreachable", (), f"{service}: {reason}")


def run_text(run: range) -> str:
    """Consecutive numbers as text: "7" or "7 to 9"."""
    first, last = run.start, run.stop - 1
    return str(first) if first == last else f"{first} to {last}"


_Sort = tuple[str, Severity]


class Report:
    """The first findings of each check and severity, and the number of all."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._counts: Counter[_Sort] = Counter()

    @property
    def ok(self) -> bool:
        """Whether there are no errors."""
        return not self.count(Severity.ERROR)

    def count(self, severity: Severity) -> int:
        """The number of findings of this severity."""
        return sum(number for (_, other), number in self._counts.items() if other is severity)

    def add(self, finding: Finding) -> None:
        """Count the finding; keep it if it is among the first of its sort."""
        sort = (finding.check, finding.severity)
        self._counts[sort] += 1
        if self._counts[sort] <= MAX_KEPT:
            self._kept.append(finding)

    def findings(self) -> Iterator[Finding]:
        """The kept findings, and for each sort with more of them one that says how many."""
        yield from self._kept
        for (check, severity), number in self._counts.items():
            if number > MAX_KEPT:
                yield Finding(check, severity, (), f"{number - MAX_KEPT} more, {number} in all")

    def as_object(self) -> dict[str, Any]:
        """The report as JSON."""
        return {"ok": self.ok, "findings": [one.as_object() for one in self.findings()]}

    def state(self) -> dict[str, Any]:
        """The report as JSON from which `from_state` restores it, for an interrupted audit."""
        return {
            "kept": [
                [one.check, one.severity.value, list(one.key), one.detail] for one in self._kept
            ],
            "counts": [[*sort, number] for sort, number in self._counts.items()],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Report":
        """The report whose `state` this is."""
        report = cls()
        report._kept = [
            Finding(check, Severity(severity), key, detail)
            for check, severity, key, detail in state["kept"]
        ]
        report._counts = Counter({
            (check, Severity(severity)): number for check, severity, number in state["counts"]
        })  # fmt: skip
        return report


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
    if not redis_is_configured() or shows_all_queued():
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
