"""The plots of docs/performance.md, from what the measurements wrote."""

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from bench.processes import ROOT
from bench.summary.latest import read

FOLDER = ROOT / "docs" / "performance"
_INCHES = (7, 3.6)
#: The same figures give the same file.
_STABLE: Any = {"svg.hashsalt": "chatsystem", "svg.fonttype": "none"}

Draw = Callable[[Axes, Mapping[str, Any]], None]


def draw() -> list[str]:
    """Every plot whose measurement has run; their names."""
    FOLDER.mkdir(exist_ok=True)
    drawn = []
    with mpl.rc_context(_STABLE):
        for name, (measurement, plot) in PLOTS.items():
            if document := read(measurement):
                canvas = Canvas(figsize=_INCHES, layout="constrained")
                plot(canvas.subplots(), document)
                canvas.savefig(FOLDER / f"{name}.svg", metadata={"Date": None})
                drawn.append(name)
    return drawn


def _throughput(axes: Axes, document: Mapping[str, Any]) -> None:
    _by_clients(axes, document, "rate")
    axes.set(ylabel="accepted a second", title="Throughput over clients")


def _latency(axes: Axes, document: Mapping[str, Any]) -> None:
    _by_clients(axes, document, "p99_ms")
    axes.set(ylabel="p99, ms", yscale="log", title="Latency over clients")


def _by_clients(axes: Axes, document: Mapping[str, Any], field: str) -> None:
    points = document["details"]["by_clients"]
    for target in dict.fromkeys(point["target"] for point in points):
        own = [point for point in points if point["target"] == target]
        clients = [point["clients"] for point in own]
        axes.plot(clients, [point[field] for point in own], marker="o", label=_spaced(target))
    axes.set(xlabel="clients", xscale="log")
    axes.legend()


def _rates(axes: Axes, document: Mapping[str, Any]) -> None:
    figures = document["figures"]
    suffix = "_post_message_rps"
    rates = {"this system": figures["post_message_rps"]["value"]} | {
        _spaced(name.removesuffix(suffix)): figure["value"]
        for name, figure in figures.items()
        if name.endswith(suffix)
    }
    axes.bar(list(rates), list(rates.values()))
    axes.set(ylabel="accepted a second", title="POST message, side by side")


def _drain(axes: Axes, document: Mapping[str, Any]) -> None:
    runs = document["details"]["runs"]
    stored = {f"{run['per_task']} rows a task": run["stored_per_s"] for run in runs}
    stored["plain INSERT"] = document["figures"]["raw_insert_rows_per_s"]["value"]
    axes.bar(list(stored), list(stored.values()))
    axes.set(ylabel="rows a second", title="One worker drains a backlog")


def _by_number(prefix: str, title: str, xlabel: str) -> Draw:
    """Figures whose names end in the number that they are of."""

    def plot(axes: Axes, document: Mapping[str, Any]) -> None:
        values = {
            _number(name.removeprefix(prefix).removesuffix("_ms")): figure["value"]
            for name, figure in document["figures"].items()
            if name.startswith(prefix)
        }
        numbers = sorted(values)
        axes.plot(numbers, [values[number] for number in numbers], marker="o")
        axes.set(xlabel=xlabel, xscale="log", ylabel="median, ms", title=title)
        axes.set_ylim(bottom=0)

    return plot


def _cost(axes: Axes, document: Mapping[str, Any]) -> None:
    parts = {
        name.removeprefix("cpu_").removesuffix("_ms"): figure["value"]
        for name, figure in document["figures"].items()
        if name != "cpu_ms"
    }
    axes.barh(list(parts), list(parts.values()))
    axes.set(xlabel="processor time a message, ms", title="What an accepted message costs, by part")


def _steps(axes: Axes, document: Mapping[str, Any]) -> None:
    [(_, steps), *_] = document["details"]["steps"].items()
    axes.barh(list(steps), [100 * share for share in steps.values()])
    axes.set(xlabel="% of the web processes' time", title="What web does for a message, by step")


def _number(text: str) -> int:
    """As a figure's name has it: 50, 10k, 1m."""
    unit = {"k": 1_000, "m": 1_000_000}.get(text[-1:], 1)
    return unit * int(text.rstrip("km"))


def _spaced(name: str) -> str:
    return name.replace("_", " ")


#: By the names of their files: the measurement, and how it is drawn.
PLOTS: Mapping[str, tuple[str, Draw]] = {
    "rates": ("post", _rates),
    "throughput": ("post", _throughput),
    "latency": ("post", _latency),
    "drain": ("drain", _drain),
    "list": ("list", _by_number("list_page_at_", "A page of a list by its depth", "number")),
    "search": ("search", _by_number("search_ms_", "A search in one chat", "messages in the index")),
    "cost": ("profile", _cost),
    "steps": ("profile", _steps),
}
