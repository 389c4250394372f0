"""bench/results/latest.json: the figures of all measurements of one run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.processes import RESULTS
from bench.report import machine
from bench.summary.goals import GOALS


def write_latest(measurements: Sequence[str]) -> Mapping[str, Any]:
    """What each of them wrote of its own, and which goals it reached; also written down."""
    documents = {name: read(name) for name in measurements}
    figures = {
        name: figure
        for document in documents.values()
        for name, figure in document.get("figures", {}).items()
    }
    latest = {
        "at": max(document.get("at", "") for document in documents.values()),
        "machine": machine(),
        "figures": figures,
        "goals": [
            {**asdict(goal), "value": value, "reached": goal.is_reached(value)}
            for goal in GOALS
            if (value := goal.value(figures)) is not None
        ],
    }
    path = RESULTS / "latest.json"
    path.write_text(json.dumps(latest, indent=1, ensure_ascii=False) + "\n")
    print(f"written to {path}")
    return latest


def read(measurement: str) -> Mapping[str, Any]:
    """What it wrote last, empty if it never ran."""
    path = RESULTS / f"{measurement}.json"
    document: Mapping[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return document
