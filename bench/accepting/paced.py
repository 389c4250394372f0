"""What a client waits when each design gets half of what it can take."""

from statistics import median

from bench.accepting.arena import THIS, Arena
from bench.accepting.side_by_side import rate
from bench.report import Figure, print_table
from bench.rounds import Round, alternate, loads
from bench.textbook.running import NAME as TEXTBOOK

_BOTH = (THIS, TEXTBOOK)


def paced(arena: Arena, peaks: list[Round], *, seconds: float, rounds: int) -> dict[str, Figure]:
    """Of this system and of the textbook; `peaks` is what they could take."""
    rates = {name: rate(peaks, name) / 2 for name in _BOTH}
    done = alternate(
        arena.some(*_BOTH),
        arena.requests,
        seconds=seconds,
        rounds=rounds,
        connections=arena.connections,
        rates=rates,
    )
    middle = {name: median(load.p50_ms for load in loads(done, name)) for name in _BOTH}
    p99 = {name: median(load.p99_ms for load in loads(done, name)) for name in _BOTH}
    print_table(
        ("at half its peak", "wanted/s", "201/s", "p50 ms", "p99 ms"),
        [
            (
                name,
                f"{rates[name]:.0f}",
                f"{rate(done, name):.0f}",
                f"{middle[name]:.1f}",
                f"{p99[name]:.1f}",
            )
            for name in _BOTH
        ],
    )
    ratio = {TEXTBOOK: p99[THIS] / p99[TEXTBOOK]}
    return {
        "half_rate_p99_ms": Figure(p99[THIS], "ms", ratio),
        "textbook_half_rate_p99_ms": Figure(p99[TEXTBOOK], "ms"),
        "half_rate_p50_ms": Figure(middle[THIS], "ms"),
    }
