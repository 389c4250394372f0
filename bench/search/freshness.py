"""`freshness`: how long a message takes from its answer until the search route finds it.

One message at a time, each with a word of its own; the next one begins at a random moment of the
index's second.
"""

import random
import time
from statistics import median
from uuid import uuid4

from bench import product
from bench.client import Client
from bench.report import Figure, print_table, write
from bench.services import services
from bench.waiting import wait_until

_WITHIN_SECONDS = 30.0


def freshness(*, messages: int) -> None:
    """Measure and report. Raises BenchError when one is not found at all."""
    places = services()
    chat = product.new_chat(places.base_url)
    with Client(places.base_url) as client:
        seconds = sorted(_found_after(client, chat.messages_path) for _ in range(messages))
    print(f"{messages} messages, from the 201 to the first search that finds each")
    print_table(("median s", "longest s"), [(f"{median(seconds):.2f}", f"{seconds[-1]:.2f}")])
    figures = {
        "search_freshness_median_s": Figure(median(seconds), "s"),
        "search_freshness_longest_s": Figure(seconds[-1], "s"),
    }
    write("freshness", figures, {"seconds": seconds})


def _found_after(client: Client, path: str) -> float:
    time.sleep(random.uniform(0, 1))
    word = uuid4().hex
    client.create(path, body=f"a word of its own: {word}")
    before = time.perf_counter()
    wait_until(
        lambda: client.read(f"{path}/search?query={word}")["results"],
        _WITHIN_SECONDS,
        "the message is found",
        every=0.02,
    )
    return time.perf_counter() - before
