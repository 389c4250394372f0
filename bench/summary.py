"""docs/performance.md, from the latest results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import results
from bench.commands import COMMANDS
from bench.processes import ROOT
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
    Goal("POST message / textbook_indexed", "post_message_rps", "textbook_indexed", at_least=15),
    Goal("POST message / textbook", "post_message_rps", "textbook", at_least=10),
    Goal("POST message / sync", "post_message_rps", "sync", at_least=8),
    Goal("POST message / noop_django", "post_message_rps", "noop_django", at_least=0.6),
    Goal("POST message / noop_drf", "post_message_rps", "noop_drf", at_least=1.2),
    Goal("sustained / textbook's sustained", "sustained_rps", "textbook", at_least=10),
    Goal("messages by bulk / single", "bulk_messages_per_s", "single", at_least=5),
    Goal("p99 of POST at half the peak, ms", "half_rate_p99_ms", at_most=25),
    Goal("p99 at half the peak / textbook's", "half_rate_p99_ms", "textbook", at_most=1),
    Goal("keys, idempotency, limits / open", "contract_post_message_rps", "open", at_least=0.85),
    Goal("GET item / noop_django's GET", "get_item_rps", "noop_django", at_least=0.6),
    Goal("GET item / stock_item", "get_item_rps", "stock_item", at_least=4),
    Goal("GET item answered 304 / GET item", "get_item_304_rps", "item", at_least=1.1),
    Goal("GET list / stock_list", "get_list_rps", "stock_list", at_least=4),
    Goal("search / stock_search", "search_rps", "stock_search", at_least=2),
    Goal("PATCH / stock_edit", "edit_rps", "stock_edit", at_least=1),
    Goal("mixed / stock_mixed", "mixed_rps", "stock_mixed", at_least=4),
    Goal("p99 of mixed at half the peak, ms", "mixed_half_rate_p99_ms", at_most=50),
    Goal("drain / plain multi-row INSERT", "drain_200_rows_per_s", "raw_insert", at_least=0.7),
    Goal("list page at 1,000,000 / page 1", "list_page_at_1m_ms", "page1", at_most=1.2),
    Goal("search at 1M / at 10k in the index", "search_ms_1000000", "smallest", at_most=1.5),
    Goal("count job, 1 % / 100 % flagged", "reconcile_s_1pct", "100pct", at_most=0.05),
    Goal("message with 1M chats / with 1k", "scale_1m_ms", "smallest", at_most=1.2),
    Goal("the same, 10,000 applications / one", "scale_1m_of_10k_ms", "smallest", at_most=1.2),
    Goal("the same, with keys", "scale_1m_of_10k_with_keys_ms", "smallest", at_most=1.2),
    Goal("1k chats beside 2M others / alone", "scale_1k_ms", "alone", at_most=1.2),
    Goal("Redis with 1M idle chats, MB", "redis_1m_idle_mb", at_most=10),
    Goal("memory of web after 1M requests / 10k", _MEMORY, "after_10k", at_most=1.1),
)


def summary() -> None:
    """Draw the plots and write the tables of the page; the text around them stays."""
    from bench.plots import draw  # needs matplotlib, which the tests of this module do without

    latest = results.latest()
    if not latest["figures"]:
        print("nothing was measured yet", flush=True)
        return
    documents = {step: results.read(f"{step}.json") for step in COMMANDS}
    draw({step: document for step, document in documents.items() if document})
    put(_PAGE, "make bench", page(latest, results.commit(), documents.get("profile")))


def page(latest: Document, commit: str, profile: Document | None) -> list[str]:
    """The lines of the page's tables; `commit` is the newest one, `profile` that measurement."""
    figures, machine = latest["figures"], latest["machine"]
    last = max(figure["at"] for figure in figures.values())
    caption = (
        f"Last run at {last} on {machine['processors']} processors with"
        f" {machine['memory_gib']:.0f} GiB, load and services on the same machine."
    )
    rows = [
        (f"`{name}`", rounded(figure["value"]), figure["unit"], _origin(figure, commit))
        for name, figure in figures.items()
    ]
    tables = [
        _table(("ratio of one run", "aim", "measured", "reached", "of"), _goals(figures, commit)),
        _table(("figure", "value", "unit", "of"), rows),
    ]
    if profile:
        shares = list(profile["details"]["functions"].items())[:_FUNCTIONS]
        tables.append(
            _table(
                ("function that a web process executes", "of its time"),
                [(f"`{name}`", f"{share:.1%}") for name, share in shares],
            )
        )
    ages = _ages(figures, commit)
    return [caption, "", ages, *(line for table in tables for line in ("", *table))]


def _ages(figures: Document, commit: str) -> str:
    """A sentence on the figures that are older than the newest commit, by their measurement."""
    older = {one["step"]: one["commit"] for one in figures.values() if one["commit"] != commit}
    if not older:
        return f"All figures are of the newest commit, {commit}."
    names = ", ".join(f"`{step}` ({of})" for step, of in older.items())
    return f"The newest commit is {commit}. Older are the figures of {names}."


def _origin(figure: Document, commit: str) -> str:
    """What must be known of a figure: an older commit, or a short run; else nothing."""
    age = [] if figure["commit"] == commit else [f"older: {figure['commit']}"]
    return ", ".join([*age, "short run"] if figure["is_quick"] else age)


def _goals(figures: Document, commit: str) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    for goal in GOALS:
        if (value := goal.value(figures)) is not None:
            aim = f"≤ {goal.at_most:g}" if goal.at_least is None else f"≥ {goal.at_least:g}"
            reached = "yes" if goal.is_reached(value) else "no"
            origin = _origin(figures[goal.figure], commit)
            rows.append((goal.name, aim, f"{value:.3g}", reached, origin))
    return rows


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(row)} |" for row in (header, rule, *rows)]
