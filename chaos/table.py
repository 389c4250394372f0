"""The table of outcomes, one row a case, as plain text and as Markdown."""

from collections.abc import Iterable

from chaos.availability import GROUPS
from chaos.evidence import Sort
from chaos.outcome import Outcome
from chaos.requests import Kind

#: Violations shown for each sort.
_NAMED = 10

_HEADER = (
    "case",
    "requests",
    "failed",
    *(f"{kind} s" for kind in Kind),
    *(f"{group} %" for group in GROUPS),
    "healed s",
    "lost",
    "doubled",
    "renumbered",
    "gaps",
    "resumed",
    "unheard",
    "invented",
    "unordered",
    "verdict",
)


def line(outcome: Outcome) -> list[str]:
    """The cells of an outcome's row."""
    if not outcome.requests:
        return [outcome.case, *["-"] * (len(_HEADER) - 2), outcome.verdict]
    sorts = outcome.sorts
    healed = outcome.healed_after
    return [
        outcome.case,
        str(outcome.requests),
        str(outcome.failed),
        *(f"{outcome.silences.get(kind, 0):.1f}" for kind in Kind),
        *(f"{100 * outcome.shares[group]:.2f}" for group in GROUPS),
        "-" if healed is None else f"{healed:.1f}",
        *(str(sorts[sort]) for sort in (Sort.LOST, Sort.DOUBLED, Sort.RENUMBERED, Sort.GAP)),
        *_listened(outcome),
        outcome.verdict,
    ]


def _listened(outcome: Outcome) -> list[str]:
    """What listeners found, if there were any."""
    sorts = (Sort.UNHEARD, Sort.INVENTED, Sort.UNORDERED)
    if outcome.resumed is None:
        return ["-"] * (1 + len(sorts))
    return [str(outcome.resumed), *(str(outcome.sorts[sort]) for sort in sorts)]


def show(outcome: Outcome) -> str:
    """A case's named cells and its first violations of each sort."""
    cells = ", ".join(f"{name} {cell}" for name, cell in zip(_HEADER, line(outcome), strict=True))
    return "\n".join([cells, *(f"  {each}" for each in _first(outcome))])


def table(outcomes: Iterable[Outcome]) -> str:
    """The table as plain text."""
    rows = [list(_HEADER), *map(line, outcomes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
            + [row[-1]]
        )
        for row in rows
    )


def markdown(outcomes: Iterable[Outcome]) -> list[str]:
    """The table as lines of Markdown."""
    rule = ["---", *["---:"] * (len(_HEADER) - 2), "---"]
    rows = [list(_HEADER), rule, *map(line, outcomes)]
    return [f"| {' | '.join(row)} |" for row in rows]


def _first(outcome: Outcome) -> list[str]:
    shown: dict[Sort, list[str]] = {}
    for violation in outcome.violations:
        shown.setdefault(violation.sort, []).append(violation.detail)
    return [
        f"{sort}: {detail[:400]}" for sort, details in shown.items() for detail in details[:_NAMED]
    ]
