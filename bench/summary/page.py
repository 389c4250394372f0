"""docs/performance.md: the tables between its markers."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.page import put
from bench.processes import ROOT
from bench.summary.latest import read

_PAGE = ROOT / "docs" / "performance.md"
_FUNCTIONS = 12


def write_page(latest: Mapping[str, Any]) -> None:
    """The tables anew; the text around them stays."""
    lines = [_caption(latest), "", *_goals(latest), "", *_figures(latest), "", *_functions()]
    put(_PAGE, "make bench", lines)


def _caption(latest: Mapping[str, Any]) -> str:
    machine = latest["machine"]
    return (
        f"Run at {latest['at']} on {machine['processors']} processors with"
        f" {machine['memory_gib']:.0f} GiB, load and services on the same machine."
    )


def _goals(latest: Mapping[str, Any]) -> list[str]:
    rows = [
        (goal["name"], _aim(goal), f"{goal['value']:.3g}", "yes" if goal["reached"] else "no")
        for goal in latest["goals"]
    ]
    return _table(("ratio of one run", "aim", "measured", "reached"), rows)


def _aim(goal: Mapping[str, Any]) -> str:
    least, most = goal["at_least"], goal["at_most"]
    return f"≥ {least:g}" if least is not None else f"≤ {most:g}"


def _figures(latest: Mapping[str, Any]) -> list[str]:
    rows = [
        (f"`{name}`", _number(figure["value"]), figure["unit"])
        for name, figure in latest["figures"].items()
    ]
    return _table(("figure", "value", "unit"), rows)


def _functions() -> list[str]:
    functions = read("profile").get("details", {}).get("functions", {})
    if not functions:
        return []
    [(_, shares), *_] = functions.items()
    rows = [(f"`{name}`", f"{share:.1%}") for name, share in list(shares.items())[:_FUNCTIONS]]
    return _table(("where a web process is found while it works", "of its time"), rows)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(row)} |" for row in (header, rule, *rows)]
