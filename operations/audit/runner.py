"""One audit: all checks one after the other. An interrupted audit can be resumed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, InterfaceError

from infra.jobs import Run, last_outcome, only_run
from infra.rabbitmq.connection import BrokerUnavailable
from infra.redis_client import RedisUnavailable
from ingest.records import record_types
from operations.audit import integrity, numbers, unstored
from operations.audit.checks import (
    Check,
    Cursor,
    Position,
    Report,
    Severity,
    registered,
    unreachable,
)
from operations.audit.tombstones import tombstones_of

JOB = "audit"
SAVE_SECONDS = 5.0

#: Called with the name of the running check and the number of rows passed since the last call.
Notice = Callable[[str, int], object]


def audit(*, resume: bool = False, notice: Notice = lambda *_: None) -> Report:
    """Run all checks; with `resume` the rest of an interrupted audit, including its findings.

    An unreachable service is a finding. An exception raised by `notice` interrupts the audit, which
    can then be resumed. Raises infra.jobs.JobIsRunning.
    """
    report = Report()
    try:
        with only_run(JOB) as run:
            begun = last_outcome(JOB).get("begun") if resume else None
            if begun:
                report = Report.from_state(begun["report"])
            _Audit(run, report, notice).run_checks(begun)
            run.outcome = {
                "errors": report.count(Severity.ERROR), "infos": report.count(Severity.INFO)
            }  # fmt: skip
    except (DatabaseError, InterfaceError) as error:
        report.add(unreachable("the database", error))
    return report


def all_checks() -> list[Check]:
    """All checks in the order in which they run. Their names are saved to resume an audit."""
    kinds = list(record_types().values())
    return [
        Check("numbering", numbers.source_of_numbers),
        Check("unique keys", integrity.unique_keys),
        *map(numbers.numbers_of, kinds),
        *map(integrity.parents_of, kinds),
        *[tombstones_of(kind) for kind in kinds if kind.is_erasable],
        Check("pending rows", unstored.pending_rows),
        Check("dead letters", unstored.dead_letters),
        Check("failed messages", unstored.failed_messages),
        Check("idempotency keys", integrity.idempotency_keys),
        *registered(),
    ]


@dataclass
class _Audit:
    """A running audit."""

    run: Run
    report: Report
    notice: Notice
    check: str = ""
    position: Position | None = None
    found: dict[str, Any] = field(default_factory=dict)  # the report's state at that position
    saved_at: float = 0.0

    def run_checks(self, begun: dict[str, Any] | None) -> None:
        """Run all checks, or those from the saved check and position on."""
        checks = all_checks()
        names = [check.name for check in checks]
        first = names.index(begun["check"]) if begun and begun["check"] in names else 0
        self.position = begun["position"] if begun else None
        for check in checks[first:]:
            self.check, self.found = check.name, self.report.state()
            try:
                self._run(check)
            except BaseException as error:
                if not isinstance(error, DatabaseError | InterfaceError):
                    self._save()
                raise
            self.position = None

    def _run(self, check: Check) -> None:
        try:
            for finding in check.run(Cursor(self.position, self._reached)):
                self.report.add(finding)
        except (RedisUnavailable, BrokerUnavailable) as error:
            self.report.add(unreachable(check.name, error))

    def _reached(self, position: Position | None, passed: int) -> None:
        self.run.still_alive()
        self.notice(self.check, passed)
        if position is not None:
            self.position, self.found = list(position), self.report.state()
            if time.monotonic() - self.saved_at > SAVE_SECONDS:
                self._save()

    def _save(self) -> None:
        state = {"check": self.check, "position": self.position, "report": self.found}
        self.run.outcome = {"begun": state}
        self.run.save_outcome()
        self.saved_at = time.monotonic()
