"""docs/performance.md, from what the measurements wrote last."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import BenchError
from bench.processes import RESULTS, ROOT
from bench.report import put, rounded

_PAGE = ROOT / "docs" / "performance.md"
_FUNCTIONS = 12

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Goal:
    """A bound of a figure, or of its ratio to another of the same run."""

    name: str
    figure: str
    to: str = ""
    at_least: float | None = None
    at_most: float | None = None

    def value(self, figures: Document) -> float | None:
        """The measured value, None if it was not measured."""
        figure = figures.get(self.figure)
        if figure is None:
            return None
        value: float | None = figure["ratio_to"].get(self.to) if self.to else figure["value"]
        return value

    def is_reached(self, value: float) -> bool:
        """Whether the value is within the bound."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )


_MEMORY = "web_memory_after_1m_requests"
GOALS = (
    Goal("POST message / textbook", "post_message_rps", "textbook", at_least=10),
    Goal("POST message / sync", "post_message_rps", "sync", at_least=8),
    Goal("POST message / noop_django", "post_message_rps", "noop_django", at_least=0.6),
    Goal("POST message / noop_drf", "post_message_rps", "noop_drf", at_least=1.2),
    Goal("sustained / textbook's sustained", "sustained_rps", "textbook", at_least=10),
    Goal("messages by bulk / single", "bulk_messages_per_s", "single", at_least=5),
    Goal("p99 at half the peak, ms", "half_rate_p99_ms", at_most=50),
    Goal("p99 at half the peak / textbook's", "half_rate_p99_ms", "textbook", at_most=1),
    Goal("drain / plain multi-row INSERT", "drain_200_rows_per_s", "raw_insert", at_least=0.7),
    Goal("list page at 1,000,000 / page 1", "list_page_at_1m_ms", "page1", at_most=1.2),
    Goal("search at 1M / at 10k in the index", "search_ms_1000000", "smallest", at_most=1.5),
    Goal("count job, 1 % / 100 % flagged", "reconcile_s_1pct", "100pct", at_most=0.05),
    Goal("memory of web after 1M requests / 10k", _MEMORY, "after_10k", at_most=1.1),
)


def summary(*, commands: Sequence[str]) -> None:
    """Draw the plots and write the tables of the page; the text around them stays.

    Raises BenchError when nothing was measured.
    """
    from bench.plots import draw  # needs matplotlib, which the tests of this module do without

    paths = {command: RESULTS / f"{command}.json" for command in commands}
    documents: dict[str, Document] = {
        command: json.loads(path.read_text()) for command, path in paths.items() if path.exists()
    }
    if not documents:
        raise BenchError("nothing was measured yet")
    draw(documents)
    latest = max(documents.values(), key=lambda document: document["at"])
    caption = (
        f"Run at {latest['at']} on {latest['machine']['processors']} processors with"
        f" {latest['machine']['memory_gib']:.0f} GiB, load and services on the same machine."
    )
    figures: dict[str, Any] = {}
    for document in documents.values():
        figures |= document["figures"]
    tables = [
        _table(("ratio of one run", "aim", "measured", "reached"), _goals(figures)),
        _table(
            ("figure", "value", "unit"),
            [
                (f"`{name}`", rounded(figure["value"]), figure["unit"])
                for name, figure in figures.items()
            ],
        ),
    ]
    if "profile" in documents:
        shares = list(documents["profile"]["details"]["functions"].items())[:_FUNCTIONS]
        rows = [(f"`{name}`", f"{share:.1%}") for name, share in shares]
        tables.append(_table(("function that a web process executes", "of its time"), rows))
    put(_PAGE, "make bench", [caption, *(line for table in tables for line in ("", *table))])


def _goals(figures: Document) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    for goal in GOALS:
        if (value := goal.value(figures)) is not None:
            aim = f"≤ {goal.at_most:g}" if goal.at_least is None else f"≥ {goal.at_least:g}"
            rows.append((goal.name, aim, f"{value:.3g}", "yes" if goal.is_reached(value) else "no"))
    return rows


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(row)} |" for row in (header, rule, *rows)]
