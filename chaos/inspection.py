"""Compare the API, the index, the counts and the audit with the stored rows."""

import json
from collections.abc import Callable, Iterator, Sequence

from chaos import observed, stack
from chaos.errors import ChaosError
from chaos.evidence import Evidence, Sort, Stored, Violation

#: Characters of a text shown in a violation.
_SHOWN = 60


def inspect(evidence: Evidence, known: frozenset[str]) -> list[Violation]:
    """Every violation and failed check. `known`: audit errors from before the case."""
    found: list[Violation] = []
    for look in _LOOKS:
        try:
            found += look(evidence)
        except ChaosError as error:
            found.append(Violation(Sort.SHOWN, str(error)))
    return [*found, *(Violation(Sort.AUDIT, error) for error in sorted(audit_errors() - known))]


def _tokens(evidence: Evidence) -> list[str]:
    return sorted({parent.token for parent in evidence.texts})


def _lists(evidence: Evidence) -> Iterator[Violation]:
    yield from differences(Sort.SHOWN, evidence.texts, observed.listed(evidence.texts))


def _index(evidence: Evidence) -> Iterator[Violation]:
    messages = {parent: rows for parent, rows in evidence.texts.items() if parent.number}
    yield from differences(Sort.INDEX, messages, observed.indexed(_tokens(evidence)))


def _counts(evidence: Evidence) -> Iterator[Violation]:
    """Run the count job, then compare the counts."""
    _run("reconcile_counts")
    for parent, count in observed.counts(_tokens(evidence)).items():
        if count != len(evidence.texts.get(parent, {})):
            yield Violation(Sort.COUNT, f"{parent} counts {count}")


def _dead_letters(evidence: Evidence) -> Iterator[Violation]:
    for token in _tokens(evidence):
        for key, reason in observed.dead_letters(token):
            yield Violation(Sort.SET_ASIDE, f"{key}: {reason}")


def audit_errors() -> frozenset[str]:
    """The audit's errors for the whole database. Raises ChaosError."""
    result = stack.manage("audit", "--json")
    try:
        findings = json.loads(result.stdout)["findings"]
    except (ValueError, KeyError):
        raise ChaosError(f"manage.py audit: {result.stdout}{result.stderr}") from None
    return frozenset(str(finding) for finding in findings if finding["severity"] == "error")


_LOOKS: Sequence[Callable[[Evidence], Iterator[Violation]]] = (
    _lists,
    _index,
    _counts,
    _dead_letters,
)


def differences(sort: Sort, stored: Stored, seen: Stored) -> Iterator[Violation]:
    """Rows that are missing in `seen`, not in `stored`, or different."""
    for parent in stored.keys() | seen.keys():
        here, there = stored.get(parent, {}), seen.get(parent, {})
        for number in sorted(here.keys() | there.keys()):
            if here.get(number) != there.get(number):
                detail = f"is {_short(here.get(number))}, seen as {_short(there.get(number))}"
                yield Violation(sort, f"{parent} {number} {detail}")


def _short(text: str | None) -> str:
    return repr(text and text[:_SHOWN])


def _run(*arguments: str) -> None:
    result = stack.manage(*arguments)
    if result.returncode != 0:
        raise ChaosError(f"manage.py {' '.join(arguments)}: {result.stdout}{result.stderr}")
