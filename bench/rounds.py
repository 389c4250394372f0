"""Rounds of load that alternate between targets, each on a machine with nothing left to do."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.errors import BenchError
from bench.target import Target
from bench.wrk import Load, load

_WARM_UP_SECONDS = 3.0
_SETTLE_SECONDS = 300.0
_STEADY_SECONDS = 1.5


@dataclass(frozen=True)
class Round:
    """One run of wrk against one target."""

    target: str
    is_warm_up: bool
    load: Load
    stored_meanwhile: int
    """Rows that its table gained while wrk ran."""

    @property
    def stored_per_s(self) -> float:
        """As fast as they were stored meanwhile."""
        return self.stored_meanwhile / self.load.seconds


def alternate(
    targets: Sequence[Target],
    requests: Path,
    *,
    seconds: float,
    rounds: int,
    connections: int,
    rates: Mapping[str, float] = {},
) -> list[Round]:
    """A warm-up of each target, then so many rounds of all of them.

    `rates`: by the names of targets, how many requests a second they are sent, at most.
    """
    send = partial(_round, requests=requests, connections=connections, rates=rates)
    done = [send(target, seconds=_WARM_UP_SECONDS, is_warm_up=True) for target in targets]
    for number in range(rounds):
        # Who comes first changes, so that nobody always follows the same rival.
        in_turn = targets if number % 2 == 0 else targets[::-1]
        done += [send(target, seconds=seconds, is_warm_up=False) for target in in_turn]
    return done


def loads(done: Sequence[Round], target: str) -> list[Load]:
    """What wrk saw of this target, warm-ups left out."""
    return [each.load for each in done if each.target == target and not each.is_warm_up]


def _round(
    target: Target,
    *,
    requests: Path,
    connections: int,
    rates: Mapping[str, float],
    seconds: float,
    is_warm_up: bool,
) -> Round:
    before = target.stored()
    result = load(
        target.address,
        requests,
        connections=connections,
        seconds=seconds,
        rate=rates.get(target.name, 0),
        keys=target.keys,
    )
    stored = target.stored() - before
    settle(target, before + result.answered)
    return Round(target.name, is_warm_up, result, stored)


def settle(target: Target, at_least: int) -> None:
    """Wait until it holds so many rows and gets no more. Raises BenchError after five minutes."""
    if not target.count_stored:
        return
    deadline = time.monotonic() + _SETTLE_SECONDS
    rows, since = -1, time.monotonic()
    while rows < at_least or time.monotonic() - since < _STEADY_SECONDS:
        if time.monotonic() > deadline:
            raise BenchError(f"{target.name} stored {rows} rows and answered {at_least} requests")
        time.sleep(0.25)
        now = target.stored()
        if now != rows:
            rows, since = now, time.monotonic()
