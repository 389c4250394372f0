"""What came of a case: the row of the table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from chaos.evidence import Sort, Violation


@dataclass(frozen=True)
class Outcome:
    """`silences`: seconds, by kind. `shares`: by creates, reads, edits. `healed_after`: seconds.

    `at` is when it was run, `load_seconds` how long its load was. `not_run` says why there is
    nothing else.
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
    violations: Sequence[Violation] = ()

    @property
    def is_ok(self) -> bool:
        """Nothing was broken, as far as it was run."""
        return not self.violations

    @property
    def sorts(self) -> Counter[Sort]:
        """How many violations of each sort."""
        return Counter(violation.sort for violation in self.violations)

    @property
    def verdict(self) -> str:
        """In a word, or by what was violated."""
        if self.not_run:
            return f"not to be had here: {self.not_run}"
        others = self.sorts
        return "ok" if self.is_ok else ", ".join(f"{n} {sort}" for sort, n in others.items())

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `verdict` and `ok` are for its readers."""
        return {**asdict(self), "verdict": self.verdict, "ok": self.is_ok}


def from_dict(values: Mapping[str, Any]) -> Outcome:
    """What `as_dict` made."""
    fields = {name: value for name, value in values.items() if name not in {"verdict", "ok"}}
    fields["violations"] = [
        Violation(Sort(one["sort"]), one["detail"]) for one in fields["violations"]
    ]
    return Outcome(**fields)
