"""The table: on the terminal, as JSON in chaos/results, and as Markdown in docs/reliability.md."""

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import psutil

from chaos.outcome import Outcome
from chaos.requests import Kind
from chaos.stack import ROOT
from chaos.verdict import Sort

RESULTS = ROOT / "chaos" / "results"
JOURNALS = RESULTS / "journals"
PAGE = ROOT / "docs" / "reliability.md"
LATEST = RESULTS / "latest.json"

_BEGIN, _END = "<!-- written by make chaos -->", "<!-- to here -->"
_NAMED = 10

_HEADER = (
    "case",
    "requests",
    "failed",
    *(f"{kind} s" for kind in Kind),
    "creates %",
    "reads %",
    "edits %",
    "healed s",
    "lost",
    "doubled",
    "renumbered",
    "gaps",
    "verdict",
)


def line(outcome: Outcome) -> list[str]:
    """Its cells."""
    if not outcome.requests:
        return [outcome.case, *["-"] * (len(_HEADER) - 2), outcome.verdict]
    sorts = outcome.sorts
    healed = outcome.healed_after
    return [
        outcome.case,
        str(outcome.requests),
        str(outcome.failed),
        *(f"{outcome.silences.get(kind, 0):.1f}" for kind in Kind),
        *(f"{100 * outcome.shares[group]:.2f}" for group in ("creates", "reads", "edits")),
        "-" if healed is None else f"{healed:.1f}",
        *(str(sorts[sort]) for sort in (Sort.LOST, Sort.DOUBLED, Sort.RENUMBERED, Sort.GAP)),
        outcome.verdict,
    ]


def show(outcome: Outcome) -> str:
    """One case in full: its row, and the first violations of each sort."""
    cells = ", ".join(f"{name} {cell}" for name, cell in zip(_HEADER, line(outcome), strict=True))
    return "\n".join([cells, *(f"  {each}" for each in _first(outcome))])


def table(outcomes: Iterable[Outcome]) -> str:
    """For people."""
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


def write_json(outcomes: Sequence[Outcome], seconds: float) -> None:
    """All of it, for programs."""
    document = {**_when(seconds), "cases": [_as_dict(outcome) for outcome in outcomes]}
    RESULTS.mkdir(parents=True, exist_ok=True)
    LATEST.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def write_page(outcomes: Sequence[Outcome], seconds: float) -> None:
    """The table between the markers of the page."""
    before, begin, rest = PAGE.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    written = "\n".join([_caption(seconds), "", *_markdown(outcomes)])
    PAGE.write_text(f"{before}{begin}\n\n{written}\n\n{end}{after}")


def _first(outcome: Outcome) -> list[str]:
    shown: dict[Sort, list[str]] = {}
    for violation in outcome.violations:
        shown.setdefault(violation.sort, []).append(violation.detail)
    return [
        f"{sort}: {detail[:400]}" for sort, details in shown.items() for detail in details[:_NAMED]
    ]


def _markdown(outcomes: Iterable[Outcome]) -> list[str]:
    rule = ["---", *["---:"] * (len(_HEADER) - 2), "---"]
    rows = [list(_HEADER), rule, *map(line, outcomes)]
    return [f"| {' | '.join(row)} |" for row in rows]


def _caption(seconds: float) -> str:
    when = _when(seconds)
    return (
        f"Run at {when['at']}, {seconds:.0f} s of load a case,"
        f" on {when['processors']} processors with {when['memory_gib']} GiB."
    )


def _when(seconds: float) -> Mapping[str, object]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": seconds,
        "processors": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": platform.platform(),
    }


def _as_dict(outcome: Outcome) -> dict[str, object]:
    return {**asdict(outcome), "verdict": outcome.verdict, "ok": outcome.is_ok}
