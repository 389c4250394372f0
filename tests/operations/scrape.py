"""Parses a scrape as Prometheus does."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    """All samples by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(found: Samples, name: str, labels: Mapping[str, str] | None = None) -> float:
    """The sum over all samples of this name that have these labels."""
    wanted = set((labels or {}).items())
    return sum(value for (called, has), value in found.items() if called == name and wanted <= has)
