"""What is accepted and stored at the same time for a minute, while no backlog grows.

Where rows are accepted faster than they are stored, the load is sent again at the pace at which
they were stored.
"""

from dataclasses import dataclass

from bench.accepting.arena import THIS, Arena
from bench.report import Figure, print_table
from bench.rounds import settle
from bench.target import Target
from bench.textbook.running import NAME as TEXTBOOK
from bench.wrk import load

#: Of what was accepted, so much may be left to be stored: some groups, and what a look takes.
GROWTH = 0.02
_TRIES = 4
_SLOWER = 0.98
_RUN_UP_SECONDS = 3.0


@dataclass(frozen=True)
class Sustained:
    """Rows a second; `is_steady` unless the backlog grew at any pace that was tried."""

    accepted_per_s: float
    stored_per_s: float
    is_steady: bool

    @property
    def per_s(self) -> float:
        """Accepted and stored."""
        return min(self.accepted_per_s, self.stored_per_s)


def sustained(arena: Arena, *, seconds: float) -> dict[str, Figure]:
    """This system's and the textbook's."""
    found = {target.name: _of(target, arena, seconds) for target in arena.some(TEXTBOOK, THIS)}
    print_table(
        (f"sustained for {seconds:.0f} s", "201/s", "stored/s", "backlog"),
        [
            (
                name,
                f"{one.accepted_per_s:.0f}",
                f"{one.stored_per_s:.0f}",
                "steady" if one.is_steady else "grows",
            )
            for name, one in found.items()
        ],
    )
    ratio = {TEXTBOOK: found[THIS].per_s / found[TEXTBOOK].per_s}
    return {
        "sustained_rps": Figure(found[THIS].per_s, "rows/s", ratio),
        "textbook_sustained_rps": Figure(found[TEXTBOOK].per_s, "rows/s"),
    }


def _of(target: Target, arena: Arena, seconds: float) -> Sustained:
    tried = _attempt(target, arena, seconds, 0)
    for _ in range(_TRIES - 1):
        if tried.is_steady:
            break
        tried = _attempt(target, arena, seconds, _SLOWER * tried.stored_per_s)
    return tried


def _attempt(target: Target, arena: Arena, seconds: float, rate: float) -> Sustained:
    """The backlog of a run-up stays, so that what is stored meanwhile is what a worker can do."""
    before = target.stored()
    run_up = load(
        target.address,
        arena.requests,
        connections=arena.connections,
        seconds=_RUN_UP_SECONDS,
        rate=rate,
    )
    at_start = target.stored()
    run = load(
        target.address,
        arena.requests,
        connections=arena.connections,
        seconds=seconds,
        rate=rate,
    )
    stored = target.stored() - at_start
    settle(target, before + run_up.answered + run.answered)
    is_steady = run.answered - stored <= GROWTH * run.answered + arena.connections
    return Sustained(run.rate, stored / run.seconds, is_steady)
