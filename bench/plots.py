"""The plots of docs/performance.md, from what the measurements wrote."""

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from bench.processes import ROOT

_FOLDER = ROOT / "docs" / "performance"
_INCHES = (7, 3.6)
#: The same figures give the same file.
_STABLE: Any = {"svg.hashsalt": "chatsystem", "svg.fonttype": "none"}

Document = Mapping[str, Any]
Draw = Callable[[Axes, Document], None]


def draw(documents: Mapping[str, Document]) -> None:
    """Draw each plot whose measurement has run."""
    _FOLDER.mkdir(exist_ok=True)
    with mpl.rc_context(_STABLE):
        for name, (command, title, plot) in _PLOTS.items():
            if document := documents.get(command):
                canvas = Canvas(figsize=_INCHES, layout="constrained")
                axes = canvas.subplots()
                axes.set(title=title)
                plot(axes, document)
                canvas.savefig(_FOLDER / f"{name}.svg", metadata={"Date": None})


def _by_clients(field: str, ylabel: str) -> Draw:
    def plot(axes: Axes, document: Document) -> None:
        points = document["details"]["by_clients"]
        for target in dict.fromkeys(point["target"] for point in points):
            own = [point for point in points if point["target"] == target]
            clients, values = [one["clients"] for one in own], [one[field] for one in own]
            axes.plot(clients, values, marker="o", label=target.replace("_", " "))
        axes.set(xlabel="clients", xscale="log", ylabel=ylabel, yscale="log")
        axes.legend()

    return plot


def _bars(label: str, prefix: str, suffix: str) -> Draw:
    """A bar for each figure of this prefix and suffix, named by what is between them."""

    def plot(axes: Axes, document: Document) -> None:
        values = {
            name[len(prefix) : -len(suffix)].replace("_", " ") or "this system": figure["value"]
            for name, figure in document["figures"].items()
            if name.startswith(prefix) and name.endswith(suffix) and name != "cpu_ms"
        }
        axes.barh(list(values), list(values.values()))
        axes.set(xlabel=label)

    return plot


def _by_number(prefix: str, xlabel: str) -> Draw:
    """A line through the figures whose names end in a number: 50, 10k, 1m."""

    def plot(axes: Axes, document: Document) -> None:
        values = {
            _number(name.removeprefix(prefix).removesuffix("_ms")): figure["value"]
            for name, figure in document["figures"].items()
            if name.startswith(prefix)
        }
        numbers = sorted(values)
        axes.plot(numbers, [values[number] for number in numbers], marker="o")
        axes.set(xlabel=xlabel, xscale="log", ylabel="median, ms")
        axes.set_ylim(bottom=0)

    return plot


def _number(text: str) -> int:
    unit = {"k": 1_000, "m": 1_000_000}.get(text[-1:], 1)
    return unit * int(text.rstrip("km"))


def _steps(axes: Axes, document: Document) -> None:
    steps = document["details"]["steps"]
    axes.barh(list(steps), [100 * share for share in steps.values()])
    axes.set(xlabel="% of the web processes' time")


#: By the name of the file: the measurement, the title, and how it is drawn.
_PLOTS: Mapping[str, tuple[str, str, Draw]] = {
    "rates": ("post", "POST message, side by side", _bars("a second", "", "post_message_rps")),
    "throughput": (
        "sustained",
        "Throughput over clients",
        _by_clients("rate", "a second"),
    ),
    "latency": ("sustained", "Latency over clients", _by_clients("p99_ms", "p99, ms")),
    "reads": ("reads", "Reads and edits, side by side", _bars("a second", "", "_rps")),
    "mixed": (
        "mixed",
        "Routes of the mix at half the peak",
        _bars("p99, ms", "mixed_", "_p99_ms"),
    ),
    "drain": ("drain", "A worker drains a backlog", _bars("rows a second", "", "_rows_per_s")),
    "list": ("list", "A page of a list by its depth", _by_number("list_page_at_", "number")),
    "search": ("search", "A search in one chat", _by_number("search_ms_", "messages in the index")),
    "cost": ("profile", "Cost of an accepted message", _bars("processor ms", "cpu_", "_ms")),
    "steps": ("profile", "What web does for a message, by step", _steps),
}
