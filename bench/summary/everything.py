"""`all`: one measurement after the other, each a command of its own, then the summary.

One that fails leaves the others their figures, and the whole run fails at its end.
"""

import subprocess
import sys
import time
from collections.abc import Sequence

from bench.errors import BenchError
from bench.processes import ROOT
from bench.summary.latest import write_latest
from bench.summary.page import write_page
from bench.summary.plots import draw

#: The measurements by the names of their commands, with what they are given.
FULL: dict[str, Sequence[str]] = {
    "warm": (),
    "post": ("--seconds", "10", "--rounds", "3"),
    "profile": ("--seconds", "15"),
    "servers": (),
    "lone": (),
    "drain": ("--manage-worker",),
    "contract": (),
    "list": (),
    "item": (),
    "search": (),
    "counts": (),
    "admin": (),
    "embedded": (),
    "memory": (),
}
QUICK: dict[str, Sequence[str]] = {
    "warm": ("--seconds", "30"),
    "post": (
        *("--seconds", "5", "--rounds", "3", "--threads", "32", "--steady-seconds", "10"),
        *("--clients", "1,16,64"),
    ),
    "profile": ("--seconds", "5"),
    "drain": ("--manage-worker", "--rows", "40000", "--per-task", "200", "--rounds", "1"),
    "list": ("--messages", "100000", "--turns", "50"),
    "search": ("--sizes", "10000,100000", "--rounds", "1"),
    "counts": ("--chats", "2000", "--rounds", "1"),
}


def everything(*, quick: bool) -> None:
    """Run all of them. Raises BenchError when one failed."""
    measurements = QUICK if quick else FULL
    failed = [name for name, arguments in measurements.items() if not _run(name, arguments)]
    summary()
    if failed:
        raise BenchError(f"failed: {', '.join(failed)}")


def summary() -> None:
    """Of whatever has been measured last."""
    latest = write_latest(list(FULL))
    draw()
    write_page(latest)


def _run(name: str, arguments: Sequence[str]) -> bool:
    print(f"--- {name} {' '.join(arguments)}", flush=True)
    began = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-m", "bench", name, *arguments], cwd=ROOT, check=False
    )
    print(f"--- {name}: {time.monotonic() - began:.0f} s", flush=True)
    return result.returncode == 0
