"""How many messages a second each accepts, in rounds that alternate."""

from collections.abc import Sequence
from statistics import median

from bench.accepting.arena import THIS, Arena
from bench.report import Figure, print_table
from bench.rounds import Round, alternate, loads

_HEADER = (
    *("", "201/s", "lowest", "highest", "stored/s", "not 2xx", "broken", "p50 ms", "p99 ms"),
    *("cpu ms/201", "stolen"),
)


def side_by_side(arena: Arena, *, seconds: float, rounds: int) -> list[Round]:
    """All targets, so many rounds."""
    done = alternate(
        list(arena.targets.values()),
        arena.requests,
        seconds=seconds,
        rounds=rounds,
        connections=arena.connections,
    )
    print_table(_HEADER, [_row(done, name) for name in arena.targets])
    for name, ratio in figures(done, list(arena.targets))["post_message_rps"].ratio_to.items():
        print(f"this system / {name} = {ratio:.2f} (medians)")
    return done


def rate(done: Sequence[Round], target: str) -> float:
    """The median over the rounds, in accepted requests a second."""
    return median(load.rate for load in loads(done, target))


def figures(done: Sequence[Round], targets: Sequence[str]) -> dict[str, Figure]:
    """The rate and p99 of each, and this system's rate in relation to the others'."""
    rates = {name: rate(done, name) for name in targets}
    others = {name: rates[THIS] / value for name, value in rates.items() if name != THIS}
    found = {"post_message_rps": Figure(rates[THIS], "requests/s", others)}
    found |= {f"{name}_post_message_rps": Figure(rates[name], "requests/s") for name in others}
    p99 = median(load.p99_ms for load in loads(done, THIS))
    return {**found, "post_message_p99_ms": Figure(p99, "ms")}


def _row(done: Sequence[Round], target: str) -> tuple[str, ...]:
    seen = loads(done, target)
    rates = [load.rate for load in seen]
    stored = [one.stored_per_s for one in done if one.target == target and not one.is_warm_up]
    return (
        target,
        f"{median(rates):.0f}",
        f"{min(rates):.0f}",
        f"{max(rates):.0f}",
        f"{median(stored):.0f}",
        f"{sum(load.refused for load in seen)}",
        f"{sum(load.broken for load in seen)}",
        f"{median(load.p50_ms for load in seen):.1f}",
        f"{median(load.p99_ms for load in seen):.1f}",
        f"{median(load.processor_ms for load in seen):.2f}",
        f"{median(load.stolen for load in seen):.0%}",
    )
