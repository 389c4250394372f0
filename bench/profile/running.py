"""`profile`: where the processor time of a message goes, and what the textbook's web does."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import product, texts
from bench.accepting.arena import this_system
from bench.database import Database
from bench.profile.functions import by_step
from bench.profile.parts import by_part
from bench.report import Figure, print_table, write
from bench.rounds import settle
from bench.services import services
from bench.target import Target
from bench.textbook.running import textbook
from bench.wrk import load

#: The load begins before the look and ends after it.
_MARGIN_SECONDS = 2.0


def profile(*, seconds: float, connections: int, textbook_threads: int) -> None:
    """Measure and report. Raises BenchError where processes may not be looked into."""
    places = services()
    database = Database(places.database_url)
    this = this_system(places, database, product.new_chat(places.base_url))
    with (
        textbook(places, database, textbook_threads) as baseline,
        texts.request_file() as requests,
    ):
        parts = by_part(this, database, requests, connections=connections, seconds=seconds)
        steps, functions = {}, {}
        for target in (this, baseline):
            seen = _looked_at(target, requests, connections, seconds)
            steps[target.name], functions[target.name] = seen
    _print(parts, steps)
    figures = {f"cpu_{part}_ms": Figure(ms, "ms/message") for part, ms in parts.items()}
    figures["cpu_ms"] = Figure(sum(parts.values()), "ms/message")
    write("profile", figures, {"steps": steps, "functions": functions})


def _looked_at(
    target: Target, requests: Path, connections: int, seconds: float
) -> tuple[dict[str, float], dict[str, float]]:
    before = target.stored()
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(
            load,
            target.address,
            requests,
            connections=connections,
            seconds=seconds + 2 * _MARGIN_SECONDS,
        )
        seen = by_step(target.address, seconds)
        settle(target, before + under_way.result().answered)
    return seen


def _print(parts: dict[str, float], steps: dict[str, dict[str, float]]) -> None:
    print_table(("part", "cpu ms a message"), [(part, f"{ms:.3f}") for part, ms in parts.items()])
    every = sorted({step for one in steps.values() for step in one})
    print_table(
        ("of web", *steps),
        [(step, *(f"{shares.get(step, 0):.0%}" for shares in steps.values())) for step in every],
    )
