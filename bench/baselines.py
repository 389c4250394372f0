"""The designs that this system is set beside, each with the threads that suit it best."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench.database import Database
from bench.noop.running import DJANGO, DRF, noop_django, noop_drf
from bench.rounds import settle
from bench.services import Services
from bench.sync.running import NAME as SYNC
from bench.sync.running import sync
from bench.target import Baseline
from bench.textbook.running import NAME as TEXTBOOK
from bench.textbook.running import textbook
from bench.wrk import load

_TRIAL_SECONDS = 4.0
_WARM_UP_SECONDS = 1.0


def baselines(services: Services, database: Database) -> list[Baseline]:
    """All of them."""
    return [
        Baseline(TEXTBOOK, partial(textbook, services, database)),
        Baseline(SYNC, partial(sync, database)),
        Baseline(DJANGO, noop_django, has_threads=False),
        Baseline(DRF, noop_drf, has_threads=False),
    ]


def best_threads(
    baseline: Baseline, choices: Sequence[int], requests: Path, connections: int
) -> int:
    """The number of threads with which it accepts most; prints what each gave."""
    if len(choices) == 1 or not baseline.has_threads:
        return choices[0]
    rates = {threads: _trial(baseline, threads, requests, connections) for threads in choices}
    shown = ", ".join(f"{threads}: {rate:.0f}/s" for threads, rate in rates.items())
    print(f"{baseline.name} by threads of each process: {shown}", flush=True)
    return max(rates, key=lambda threads: rates[threads])


def _trial(baseline: Baseline, threads: int, requests: Path, connections: int) -> float:
    with baseline.start(threads) as target:
        warm_up = load(target.address, requests, connections=connections, seconds=_WARM_UP_SECONDS)
        settle(target, warm_up.answered)
        tried = load(target.address, requests, connections=connections, seconds=_TRIAL_SECONDS)
        settle(target, warm_up.answered + tried.answered)
    return tried.rate
