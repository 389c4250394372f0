"""The results of all measurements, in bench/results.

latest.json has the latest value of each figure, with the commit and the time of its measurement. A
measurement replaces its own figures when it is complete, and leaves those of the others as they
are. NAME.json has the values that the figures of a measurement come from.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench.processes import RESULTS, ROOT
from bench.report import Results

LATEST = "latest.json"
_WRITTEN = (":!docs", ":!bench/results")
#: The commit of code that has none: changed files, or no git.
CHANGED, UNKNOWN = "-changed", "unknown"

Document = Mapping[str, Any]


def commit() -> str:
    """The newest commit, with "-changed" behind it if files differ from it; "unknown" without git.

    Commits and changes of documentation and results alone do not count: measurements write them.
    """
    try:
        newest = _git("log", "-1", "--format=%h", "--abbrev=10", "--", ".", *_WRITTEN)
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *_WRITTEN)
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN
    return newest + (CHANGED if changed else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def write(
    step: str, results: Results, of_commit: str, *, is_quick: bool, folder: Path = RESULTS
) -> None:
    """Write the details, then replace the older figures of the step in latest.json."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    figures = {name: asdict(figure) for name, figure in results.figures.items()}
    origin = {"at": now, "commit": of_commit, "step": step, "is_quick": is_quick}
    memory = psutil.virtual_memory().total / 2**30
    machine = {"processors": psutil.cpu_count(), "memory_gib": round(memory, 1)}
    _replace(folder / f"{step}.json", {"at": now, "figures": figures, "details": results.details})
    others = {
        name: figure for name, figure in latest(folder)["figures"].items() if figure["step"] != step
    }
    marked = {name: {**figure, **origin} for name, figure in figures.items()}
    _replace(folder / LATEST, {"machine": machine, "figures": {**others, **marked}})


def latest(folder: Path = RESULTS) -> Document:
    """What latest.json has; no figures before the first measurement."""
    return read(LATEST, folder) or {"figures": {}}


def read(name: str, folder: Path = RESULTS) -> Document | None:
    """A file of this folder; None if it was never written."""
    path = folder / name
    if not path.exists():
        return None
    document: Document = json.loads(path.read_text())
    return document


def _replace(path: Path, document: Document) -> None:
    """Write the file as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    new.replace(path)
