"""Throughput and latency by the number of clients, this system and the textbook in turns."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench.accepting.arena import THIS, Arena
from bench.report import print_table
from bench.rounds import settle
from bench.target import Target
from bench.textbook.running import NAME as TEXTBOOK
from bench.wrk import load


@dataclass(frozen=True)
class Point:
    """One target with so many clients."""

    target: str
    clients: int
    rate: float
    p50_ms: float
    p99_ms: float


def by_clients(
    arena: Arena, *, numbers: Sequence[int], seconds: float
) -> list[dict[str, str | int | float]]:
    """One point for each number and each of the two."""
    points = [
        _point(target, arena, clients, seconds)
        for clients in numbers
        for target in arena.some(THIS, TEXTBOOK)
    ]
    print_table(
        ("clients", "", "201/s", "p50 ms", "p99 ms"),
        [
            (
                str(one.clients),
                one.target,
                f"{one.rate:.0f}",
                f"{one.p50_ms:.1f}",
                f"{one.p99_ms:.1f}",
            )
            for one in points
        ],
    )
    return [asdict(point) for point in points]


def _point(target: Target, arena: Arena, clients: int, seconds: float) -> Point:
    before = target.stored()
    seen = load(target.address, arena.requests, connections=clients, seconds=seconds)
    settle(target, before + seen.answered)
    return Point(target.name, clients, seen.rate, seen.p50_ms, seen.p99_ms)
