"""`post`: this system beside the other designs on the same machine and the same services.

Rounds alternate, and each waits until the other's rows are stored, so that no backlog of one is
worked off in the other's time. What this system answered with 201 is looked up afterwards.
"""

from collections.abc import Sequence
from dataclasses import asdict

from bench.accepting.arena import THIS, arena
from bench.accepting.clients import by_clients
from bench.accepting.others import others
from bench.accepting.paced import paced
from bench.accepting.side_by_side import figures, rate, side_by_side
from bench.accepting.sustained import sustained
from bench.database import Database
from bench.exact import check_exactly
from bench.report import write
from bench.services import services
from bench.verification import check_chat


def post(
    *,
    seconds: float,
    rounds: int,
    connections: int,
    threads: Sequence[int],
    steady_seconds: float,
    clients: Sequence[int],
) -> None:
    """Measure, verify, report. Raises BenchError when an answer turns out not to be true."""
    places = services()
    database = Database(places.database_url)
    with arena(places, database, connections=connections, choices=threads) as here:
        done = side_by_side(here, seconds=seconds, rounds=rounds)
        of_this = [each for each in done if each.target == THIS]
        checked = check_chat(database, here.chat, of_this, connections)
        found = figures(done, list(here.targets))
        found |= paced(here, done, seconds=seconds, rounds=rounds)
        found |= sustained(here, seconds=steady_seconds)
        found |= others(here, rate(done, THIS), seconds=seconds, rounds=rounds)
        points = by_clients(here, numbers=clients, seconds=seconds / 2)
    exact = check_exactly(places.base_url, database)
    write(
        "post",
        found,
        {
            "checked": asdict(checked),
            "exact": exact,
            "threads": here.threads,
            "rounds": [asdict(each) for each in done],
            "by_clients": points,
        },
    )
