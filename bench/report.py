"""Figures of a measurement, and tables on the terminal and on pages."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any, TypeVar

from bench.wrk import Load

Sample = TypeVar("Sample")

#: What tables show of loads.
LOADS: Mapping[str, Callable[[Load], float]] = {
    "a second": lambda load: load.rate,
    "p50 ms": lambda load: load.p50_ms,
    "p99 ms": lambda load: load.p99_ms,
    "cpu ms each": lambda load: load.processor_ms,
    "refused": lambda load: load.refused,
    "broken": lambda load: load.broken,
    "% stolen": lambda load: 100 * load.stolen,
}


@dataclass(frozen=True)
class Figure:
    """A result with its unit; `ratio_to` holds its ratios to others of the same run."""

    value: float
    unit: str
    ratio_to: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """What a measurement found: figures by name, and the values they come from."""

    figures: Mapping[str, Figure]
    details: Mapping[str, object]


def middle(samples: Iterable[Sample], value: Callable[[Sample], float]) -> float:
    """Median of a value of these samples."""
    return median(value(sample) for sample in samples)


def load_figures(
    name: str, loads: Sequence[Load], others: Mapping[str, Sequence[Load]] = {}
) -> dict[str, Figure]:
    """Rate and latency of these loads, and the rate's ratios to those of the others."""
    rate, p50, p99 = (middle(loads, LOADS[column]) for column in list(LOADS)[:3])
    ratios = {
        other: rate / middle(of_other, LOADS["a second"]) for other, of_other in others.items()
    }
    return {
        f"{name}_rps": Figure(rate, "requests/s", ratios),
        f"{name}_p50_ms": Figure(p50, "ms"),
        f"{name}_p99_ms": Figure(p99, "ms"),
    }


def documents(samples: Mapping[str, Sequence[Any]]) -> dict[str, object]:
    """Samples, which are dataclasses, as they are written to JSON."""
    return {name: list(map(asdict, several)) for name, several in samples.items()}


def short(number: int) -> str:
    """1000000 as 1m, 10000 as 10k; a number that is no whole thousand as it is."""
    for unit, name in ((1_000_000, "m"), (1000, "k")):
        if number and number % unit == 0:
            return f"{number // unit}{name}"
    return str(number)


def rounded(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def print_samples(
    title: str,
    samples: Mapping[str, Sequence[Sample]],
    columns: Mapping[str, Callable[[Sample], float]],
) -> None:
    """A row each of medians; the first column also with lowest and highest, and / first row."""
    (column, first), *others = columns.items()
    base = middle(next(iter(samples.values())), first)
    rows = []
    for name, several in samples.items():
        value, each = middle(several, first), [first(one) for one in several]
        spread = f"{rounded(min(each))} - {rounded(max(each))}"
        rest = [rounded(middle(several, other)) for _, other in others]
        rows.append((name, rounded(value), spread, rounded(value / base) if base else "-", *rest))
    print_table((title, column, "lowest - highest", "/ first", *(name for name, _ in others)), rows)


def print_times(title: str, times: Mapping[str, Sequence[float]]) -> None:
    """A row each of median and 95th percentile of times in milliseconds, and / first row."""
    base, rows = median(next(iter(times.values()))), []
    for name, each in times.items():
        p95 = quantiles([*each, each[-1]], n=20, method="inclusive")[-1]
        rows.append((name, rounded(median(each)), rounded(p95), rounded(median(each) / base)))
    print_table((title, "median ms", "p95 ms", "/ first"), rows)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they must be; all but the first are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for first, *rest in (header, *rows):
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        print("  ".join([first.ljust(widths[0]), *cells]), flush=True)


def put(page: Path, command: str, lines: Sequence[str]) -> None:
    """Replace what `command` wrote between its markers on the page.

    Raises ValueError when the page has no such markers.
    """
    begin, end = f"<!-- written by {command} -->", "<!-- to here -->"
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{page} has no part between {begin} and {end}")
    page.write_text("\n".join([f"{before}{begin}", "", *lines, "", f"{end}{after}"]))
