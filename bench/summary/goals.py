"""What is aimed at, as ratios of one run: the rest depends on the machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Goal:
    """A figure, or its ratio to a baseline, that is to be at least or at most so much."""

    name: str
    figure: str
    to: str = ""
    at_least: float | None = None
    at_most: float | None = None

    def value(self, figures: Mapping[str, Any]) -> float | None:
        """What was measured, None if it was not."""
        figure = figures.get(self.figure)
        if figure is None:
            return None
        value: float | None = figure["ratio_to"].get(self.to) if self.to else figure["value"]
        return value

    def is_reached(self, value: float) -> bool:
        """Whether that is enough."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )


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
    Goal(
        "memory of web after 1M requests / 10k",
        "web_memory_after_1m_requests",
        "after_10k",
        at_most=1.1,
    ),
)
