"""`list`: what a page of a long chat costs by where in the chat it lies.

Pages of fifty behind a cursor and before one, asked in turns over one kept connection, beside the
first page, which needs no cursor. Of each answer the numbers are checked.
"""

import json
import random
import time
from collections.abc import Sequence
from statistics import median, quantiles

from bench.client import Client
from bench.database import Database
from bench.errors import BenchError
from bench.filling import filled
from bench.product import Chat
from bench.reads.asked import FIRST, PAGE, Page, pages_of
from bench.report import Figure, print_table, write
from bench.services import services

_WARM_UP = 20

Times = dict[str, list[float]]


def pages(*, messages: int, turns: int) -> None:
    """Measure and report. Raises BenchError when a page shows other numbers than it should."""
    if messages < PAGE:
        raise BenchError(f"a page has {PAGE} messages, so there must be as many")
    places = services()
    database = Database(places.database_url)
    asked = pages_of(messages)
    times: Times = {page.name: [] for page in asked}
    with (
        filled(database, chats=1, messages=messages) as token,
        Client(places.base_url) as client,
    ):
        path = Chat(token, 1).messages_path
        for turn in range(-_WARM_UP, turns):
            for page in random.sample(asked, len(asked)):
                taken = _ask(client, path, page)
                if turn >= 0:
                    times[page.name].append(taken)
    _report(messages, asked, times)


def _ask(client: Client, path: str, page: Page) -> float:
    """Milliseconds until the answer was there; reading it is no work of the server."""
    before = time.perf_counter()
    answer = client.fetch(path + page.query)
    taken = 1000 * (time.perf_counter() - before)
    numbers = [each["message_number"] for each in json.loads(answer.content).get("results", [])]
    if numbers != list(page.numbers):
        raise BenchError(f"{path}{page.query} was answered {answer.status} and shows {numbers}")
    return taken


def _report(messages: int, asked: Sequence[Page], times: Times) -> None:
    middle = {name: median(values) for name, values in times.items()}
    figures = {
        name: Figure(value, "ms", {} if name == FIRST else {"page1": value / middle[FIRST]})
        for name, value in middle.items()
    }
    print(f"a chat of {messages} messages, pages of {PAGE}; one client on a kept connection")
    print_table(
        ("page", "query", "median ms", "p95 ms", "/ page 1"),
        [
            (
                page.name.removeprefix("list_").removesuffix("_ms"),
                page.query or "-",
                f"{middle[page.name]:.2f}",
                f"{quantiles(times[page.name], n=20)[-1]:.2f}",
                f"{middle[page.name] / middle[FIRST]:.2f}",
            )
            for page in asked
        ],
    )
    write("list", figures, {"messages": messages, "milliseconds": times})
