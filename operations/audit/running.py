"""One audit: all checks one after the other, and where it goes on after an interruption."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, InterfaceError

from infra.jobs import Run, last_outcome, only_run
from infra.rabbitmq.connection import BrokerUnavailable
from infra.redis_client import RedisUnavailable
from ingest.records import record_types
from operations.audit import numbers, orphans
from operations.audit.checks import Check, Position, Walk, registered
from operations.audit.duplicates import unique_keys
from operations.audit.failed import failed_messages
from operations.audit.findings import Severity, unreachable
from operations.audit.letters import dead_letters
from operations.audit.numbering import source_of_numbers
from operations.audit.pending import pending_rows
from operations.audit.report import Report
from operations.audit.requests import idempotency_keys

JOB = "audit"
KEEP_SECONDS = 5.0

#: Is told which check is under way, and how many rows it has passed since it was told last.
Notice = Callable[[str, int], object]


def audit(*, resume: bool = False, notice: Notice = lambda *_: None) -> Report:
    """What is found; with `resume` the rest of an audit that was interrupted, and what it found.

    A service that does not answer is a finding. What `notice` raises ends the audit, which another
    may go on with. Raises infra.jobs.JobIsRunning.
    """
    report = Report()
    try:
        with only_run(JOB) as run:
            begun = last_outcome(JOB).get("begun") if resume else None
            if begun:
                report = Report.from_state(begun["report"])
            _Audit(run, report, notice).go_through(begun)
            run.outcome = {
                "errors": report.count(Severity.ERROR), "infos": report.count(Severity.INFO)
            }  # fmt: skip
    except (DatabaseError, InterfaceError) as error:
        report.add(unreachable("the database", error))
    return report


def all_checks() -> list[Check]:
    """In the order in which they are made."""
    of_kinds = list(record_types().values())
    return [
        Check("numbering", source_of_numbers),
        Check("unique keys", unique_keys),
        *map(numbers.numbers_of, of_kinds),
        *map(orphans.parents_of, of_kinds),
        Check("pending rows", pending_rows),
        Check("dead letters", dead_letters),
        Check("failed messages", failed_messages),
        Check("idempotency keys", idempotency_keys),
        *registered(),
    ]


@dataclass
class _Audit:
    """An audit under way."""

    run: Run
    report: Report
    notice: Notice
    check: str = ""
    position: Position | None = None
    found: dict[str, Any] = field(default_factory=dict)  # the report's state at that position
    kept_at: float = 0.0

    def go_through(self, begun: dict[str, Any] | None) -> None:
        """All checks; where one was begun, from there on."""
        checks = all_checks()
        names = [check.name for check in checks]
        first = names.index(begun["check"]) if begun and begun["check"] in names else 0
        self.position = begun["position"] if begun else None
        for check in checks[first:]:
            self.check, self.found = check.name, self.report.state()
            try:
                self._make(check)
            except BaseException as error:
                if not isinstance(error, DatabaseError | InterfaceError):
                    self._keep()
                raise
            self.position = None

    def _make(self, check: Check) -> None:
        try:
            for finding in check.run(Walk(self.position, self._reached)):
                self.report.add(finding)
        except (RedisUnavailable, BrokerUnavailable) as error:
            self.report.add(unreachable(check.name, error))

    def _reached(self, position: Position | None, passed: int) -> None:
        self.run.still_alive()
        self.notice(self.check, passed)
        if position is not None:
            self.position, self.found = list(position), self.report.state()
            if time.monotonic() - self.kept_at > KEEP_SECONDS:
                self._keep()

    def _keep(self) -> None:
        state = {"check": self.check, "position": self.position, "report": self.found}
        self.run.outcome = {"begun": state}
        self.run.keep()
        self.kept_at = time.monotonic()
