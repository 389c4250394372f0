"""The outcome of a case: a row of the table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from chaos.evidence import Sort, Violation


@dataclass(frozen=True)
class Outcome:
    """`silences`: seconds, by kind. `shares`: of creates, reads, edits. `healed_after`: seconds.

    `at`: the time of the run. `load_seconds`: the duration of the load. `not_run`: why the case was
    not run. `resumed`: how often a listener opened its stream again; None if nobody listened.
    """

    case: str
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    load_seconds: float = 0.0
    not_run: str = ""
    requests: int = 0
    failed: int = 0
    sent_twice: int = 0
    repeated: int = 0
    silences: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    healed_after: float | None = None
    skips: int = 0
    resumed: int | None = None
    violations: Sequence[Violation] = ()

    @property
    def is_ok(self) -> bool:
        """Whether there is no violation; true if the case was not run."""
        return not self.violations

    @property
    def sorts(self) -> Counter[Sort]:
        """The number of violations by sort."""
        return Counter(violation.sort for violation in self.violations)

    @property
    def verdict(self) -> str:
        """`ok`, the violations by sort, or why the case was not run."""
        if self.not_run:
            return f"not to be had here: {self.not_run}"
        others = self.sorts
        return "ok" if self.is_ok else ", ".join(f"{n} {sort}" for sort, n in others.items())

    def as_dict(self) -> dict[str, Any]:
        """The outcome for JSON, with `verdict` and `ok` for readers."""
        return {**asdict(self), "verdict": self.verdict, "ok": self.is_ok}


def from_dict(values: Mapping[str, Any]) -> Outcome:
    """The outcome that `as_dict` returned."""
    fields = {name: value for name, value in values.items() if name not in {"verdict", "ok"}}
    fields["violations"] = [
        Violation(Sort(one["sort"]), one["detail"]) for one in fields["violations"]
    ]
    return Outcome(**fields)
