"""Run the cases in turn, print each outcome, and save the results."""

from collections.abc import Collection, Sequence

from chaos.cases import Case
from chaos.errors import ChaosError
from chaos.evidence import Sort, Violation
from chaos.outcome import Outcome
from chaos.report import JOURNALS, Results
from chaos.running import run
from chaos.table import show, table


def run_all(
    cases: Sequence[Case], seconds: float, known: Collection[str], results: Results
) -> bool:
    """Whether no case had a violation. Saved results of other cases are kept."""
    outcomes: list[Outcome] = []
    for case in cases:
        print(f"{case.name} …", flush=True)
        outcomes.append(_run(case, seconds))
        print(show(outcomes[-1]), flush=True)
        results.write(outcomes, known)
    print(table(outcomes))
    not_run = sum(bool(outcome.not_run) for outcome in outcomes)
    print(f"{len(outcomes)} cases, {not_run} of them not run")
    return all(outcome.is_ok for outcome in outcomes)


def _run(case: Case, seconds: float) -> Outcome:
    try:
        return run(case, seconds, JOURNALS)
    except ChaosError as error:
        found = [Violation(Sort.UNHEALED, str(error))]
        return Outcome(case.name, load_seconds=seconds, violations=found)
