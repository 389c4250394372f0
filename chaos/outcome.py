"""What came of a case: the row of the table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaos.verdict import Sort, Violation


@dataclass(frozen=True)
class Outcome:
    """`silences`: seconds, by kind. `shares`: by creates, reads, edits. `healed_after`: seconds.

    `not_run` says why there is nothing else.
    """

    case: str
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
