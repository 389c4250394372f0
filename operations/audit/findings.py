"""The findings of an audit, and the report that collects them in bounded memory."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

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
