"""`post`: how many messages a second are accepted, by this system and by the textbook design.

Rounds of both alternate, and each waits until the other's rows are stored, so that no backlog of
one is worked off in the other's time. What the product answered with 201 is looked up afterwards.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from bench import product, texts
from bench.database import Database
from bench.exact import check_exactly
from bench.report import Figure, print_table, write
from bench.rounds import Round, alternate
from bench.services import services
from bench.target import Target
from bench.textbook.running import textbook
from bench.verification import check_chat
from bench.wrk import Load

_THIS = "this system"
_DIFFERENT_TEXTS = 2000
_HEADER = (
    *("", "201/s", "lowest", "highest", "stored/s", "not 2xx", "broken", "p50 ms", "p99 ms"),
    *("cpu ms/201", "stolen"),
)


def post(*, seconds: float, rounds: int, connections: int, textbook_threads: int) -> None:
    """Measure, verify, report. Raises BenchError when an answer turns out not to be true."""
    places = services()
    database = Database(places.database_url)
    chat = product.new_chat(places.base_url)
    this = Target(
        name=_THIS,
        address=places.base_url + chat.messages_path,
        count_stored=lambda: product.count_messages(database, chat),
    )
    with (
        textbook(places, database, threads=textbook_threads) as baseline,
        tempfile.TemporaryDirectory() as folder,
    ):
        requests = Path(folder) / "requests"
        texts.write_requests(requests, _DIFFERENT_TEXTS)
        done = alternate(
            (this, baseline), requests, seconds=seconds, rounds=rounds, connections=connections
        )
    _print(done, baseline.name)
    of_this = [each for each in done if each.target == _THIS]
    checked = check_chat(database, chat, of_this, connections)
    exact = check_exactly(places.base_url, database)
    write(
        "post",
        _figures(done, baseline.name),
        {"checked": asdict(checked), "exact": exact, "rounds": [asdict(each) for each in done]},
    )


def _rounds(done: Sequence[Round], target: str) -> list[Round]:
    return [each for each in done if each.target == target and not each.is_warm_up]


def _loads(done: Sequence[Round], target: str) -> list[Load]:
    return [each.load for each in _rounds(done, target)]


def _figures(done: Sequence[Round], baseline: str) -> dict[str, Figure]:
    this, other = (median(load.rate for load in _loads(done, name)) for name in (_THIS, baseline))
    p99 = median(load.p99_ms for load in _loads(done, _THIS))
    return {
        "post_message_rps": Figure(this, "requests/s", {baseline: this / other}),
        f"{baseline}_post_message_rps": Figure(other, "requests/s"),
        "post_message_p99_ms": Figure(p99, "ms"),
    }


def _print(done: Sequence[Round], baseline: str) -> None:
    print_table(_HEADER, [_row(done, name) for name in (_THIS, baseline)])
    [ratio] = _figures(done, baseline)["post_message_rps"].ratio_to.values()
    print(f"{_THIS} / {baseline} = {ratio:.2f} (medians)")


def _row(done: Sequence[Round], target: str) -> tuple[str, ...]:
    loads = _loads(done, target)
    rates = [load.rate for load in loads]
    return (
        target,
        f"{median(rates):.0f}",
        f"{min(rates):.0f}",
        f"{max(rates):.0f}",
        f"{median(each.stored_per_s for each in _rounds(done, target)):.0f}",
        f"{sum(load.refused for load in loads)}",
        f"{sum(load.broken for load in loads)}",
        f"{median(load.p50_ms for load in loads):.1f}",
        f"{median(load.p99_ms for load in loads):.1f}",
        f"{median(load.processor_ms for load in loads):.2f}",
        f"{median(load.stolen for load in loads):.0%}",
    )
