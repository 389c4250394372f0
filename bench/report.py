"""What was measured, as a table on the terminal and as JSON in bench/results."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import psutil

from bench.processes import RESULTS


@dataclass(frozen=True)
class Figure:
    """One result; `ratio_to` sets it in relation to the baselines."""

    value: float
    unit: str
    ratio_to: dict[str, float] = field(default_factory=dict)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they must be, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join([row[0].ljust(len(first)), *rest]))


def write(command: str, figures: dict[str, Figure], details: dict[str, object]) -> None:
    """bench/results/COMMAND.json: the figures, and from what they were derived."""
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "figures": {name: asdict(figure) for name, figure in figures.items()},
        "details": details,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{command}.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    print(f"written to {path}")


def machine() -> dict[str, object]:
    """On what it was measured."""
    return {
        "processors": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": psutil.getloadavg(),
    }
