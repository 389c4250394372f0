"""Case after case: what is printed meanwhile, and what is written at the end."""

from collections.abc import Sequence

from chaos.cases import Case
from chaos.errors import ChaosError
from chaos.outcome import Outcome
from chaos.report import JOURNALS, show, table, write_json, write_page
from chaos.running import run
from chaos.verdict import Sort, Violation


def run_all(cases: Sequence[Case], seconds: float, *, is_whole: bool) -> bool:
    """Whether every promise was kept. The page is written only by a run of the whole matrix."""
    outcomes: list[Outcome] = []
    for case in cases:
        print(f"{case.name} …", flush=True)
        outcomes.append(_run(case, seconds))
        print(show(outcomes[-1]), flush=True)
        write_json(outcomes, seconds)
    print(table(outcomes))
    if is_whole:
        write_page(outcomes, seconds)
    not_run = sum(bool(outcome.not_run) for outcome in outcomes)
    print(f"{len(outcomes)} cases, {not_run} of them not run")
    return all(outcome.is_ok for outcome in outcomes)


def _run(case: Case, seconds: float) -> Outcome:
    try:
        return run(case, seconds, JOURNALS)
    except ChaosError as error:
        return Outcome(case.name, violations=[Violation(Sort.UNHEALED, str(error))])
