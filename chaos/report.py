"""Save the table in chaos/results and between the markers of its page.

A run of some cases replaces their rows and keeps the other rows.
"""

import json
import platform
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.report import put
from chaos.outcome import Outcome, from_dict
from chaos.stack import ROOT
from chaos.table import markdown

RESULTS = ROOT / "chaos" / "results"
JOURNALS = RESULTS / "journals"


@dataclass(frozen=True, slots=True)
class Results:
    """Where the outcomes of a matrix are kept: a file, and what `command` writes on a page."""

    file: Path
    page: Path
    command: str

    def write(self, outcomes: Iterable[Outcome], known: Collection[str]) -> Sequence[Outcome]:
        """Save new and earlier rows to file and page, ordered as `known`. Return the rows."""
        latest = {**self._latest(), **{outcome.case: outcome for outcome in outcomes}}
        rows = [latest[name] for name in known if name in latest]
        document = {"machine": _machine(), "cases": [row.as_dict() for row in rows]}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        put(self.page, self.command, [_caption(rows, len(known)), "", *markdown(rows)])
        return rows

    def _latest(self) -> Mapping[str, Outcome]:
        if not self.file.exists():
            return {}
        rows = map(from_dict, json.loads(self.file.read_text())["cases"])
        return {row.case: row for row in rows}


_SCALE = ROOT / "docs" / "scale.md"
SINGLE = Results(RESULTS / "latest.json", ROOT / "docs" / "reliability.md", "make chaos")
CLUSTER, VITESS, MOVING, RESHARDING = (
    Results(RESULTS / f"{topology}.json", _SCALE, f"make chaos TOPOLOGY={topology}")
    for topology in ("cluster", "vitess", "vitess-moving", "vitess-resharding")
)


def _caption(rows: Sequence[Outcome], known: int) -> str:
    machine = _machine()
    ran = [row for row in rows if not row.not_run]
    kept = sum(row.is_ok for row in ran)
    seconds = "/".join(f"{value:.0f}" for value in sorted({row.load_seconds for row in ran}))
    dates = sorted(row.at for row in rows)
    return (
        f"{len(ran)} of {known} cases were run, {kept} of them kept every promise. Run from"
        f" {dates[0]} to {dates[-1]}, {seconds} s of load a case, on"
        f" {machine['processors']} processors with {machine['memory_gib']} GiB."
    )


def _machine() -> Mapping[str, object]:
    return {
        "processors": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": platform.platform(),
    }
