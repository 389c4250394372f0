"""Processor time of each part of the stack, until what was accepted is stored and indexed."""

import resource
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from bench import product, stack
from bench.database import Database
from bench.rounds import settle
from bench.target import Target
from bench.wrk import load

_INDEXED_SECONDS = 300.0


def by_part(
    target: Target, database: Database, requests: Path, *, connections: int, seconds: float
) -> dict[str, float]:
    """Milliseconds a message, by part; `wrk` is the load itself."""
    pids = {name: part.pids for name, part in stack.parts().items()}
    before = {name: _seconds(of_part) for name, of_part in pids.items()} | {"wrk": _children()}
    stored = target.stored()
    seen = load(target.address, requests, connections=connections, seconds=seconds)
    after_load = _children()
    settle(target, stored + seen.answered)
    product.await_indexed(database, _INDEXED_SECONDS)
    after = {name: _seconds(of_part) for name, of_part in pids.items()} | {"wrk": after_load}
    return {name: 1000 * (after[name] - before[name]) / seen.answered for name in after}


def _seconds(pids: Iterable[int]) -> float:
    """What these processes have used since they began."""
    used = 0.0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            used += times.user + times.system
    return used


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
