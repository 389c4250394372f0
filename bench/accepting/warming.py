"""`warm`: load on this system before anything is measured.

A freshly started Elasticsearch compiles itself for a minute or two, at three times the cost. Of
what is compared only this system has such a part, which then runs on through all measurements.
"""

from bench import product, texts
from bench.accepting.arena import this_system
from bench.database import Database
from bench.rounds import settle
from bench.services import services
from bench.wrk import load


def warm(*, seconds: float, connections: int) -> None:
    """Send messages for so long, and wait until they are stored."""
    places = services()
    database = Database(places.database_url)
    target = this_system(places, database, product.new_chat(places.base_url))
    with texts.request_file() as requests:
        seen = load(target.address, requests, connections=connections, seconds=seconds)
    settle(target, seen.answered)
    print(f"{seen.rate:.0f} messages/s on average")
