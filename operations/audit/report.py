"""What an audit has found so far, in bounded memory: the first of each sort, and how many more."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from operations.audit.findings import Finding, Severity

KEPT = 100

_Sort = tuple[str, Severity]


class Report:
    """Findings, of which the first hundred of each check and severity are kept."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._counts: Counter[_Sort] = Counter()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.count(Severity.ERROR)

    def count(self, severity: Severity) -> int:
        """How many findings there are of this severity."""
        return sum(number for (_, other), number in self._counts.items() if other is severity)

    def add(self, finding: Finding) -> None:
        """Another one."""
        sort = (finding.check, finding.severity)
        self._counts[sort] += 1
        if self._counts[sort] <= KEPT:
            self._kept.append(finding)

    def findings(self) -> Iterator[Finding]:
        """Those that are kept, and one for all further ones of a sort."""
        yield from self._kept
        for (check, severity), number in self._counts.items():
            if number > KEPT:
                yield Finding(check, severity, (), f"{number - KEPT} more, {number} in all")

    def as_object(self) -> dict[str, Any]:
        """As programs read it."""
        return {"ok": self.ok, "findings": [one.as_object() for one in self.findings()]}

    def state(self) -> dict[str, Any]:
        """All of it as JSON, for an audit that goes on."""
        return {
            "kept": [
                [one.check, one.severity.value, list(one.key), one.detail] for one in self._kept
            ],
            "counts": [[*sort, number] for sort, number in self._counts.items()],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Report":
        """The report that had this state."""
        report = cls()
        report._kept = [
            Finding(check, Severity(severity), key, detail)
            for check, severity, key, detail in state["kept"]
        ]
        report._counts = Counter({
            (check, Severity(severity)): number for check, severity, number in state["counts"]
        })  # fmt: skip
        return report
