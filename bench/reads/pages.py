"""`list`: what a page of a long chat costs by where in the chat it lies.

Pages of fifty behind a cursor and before one, asked in turns over one kept connection, beside the
first page, which needs no cursor. Of each answer the numbers are checked.
"""

import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from bench.client import Client
from bench.database import Database
from bench.errors import BenchError
from bench.filling import filled
from bench.product import Chat
from bench.report import Figure, print_table, write
from bench.services import services

PAGE = 50
_PLACES = (1, 1_000, 10_000, 100_000, 1_000_000)
_WARM_UP = 20
_FIRST = "list_page1_ms"

Times = dict[str, list[float]]


@dataclass(frozen=True)
class Page:
    """One page, and the numbers that it has to show, in this order."""

    name: str
    query: str
    numbers: range


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


def pages_of(messages: int) -> list[Page]:
    """The first page without a cursor, then at each place that page from both sides.

    The last place is the end of the chat.
    """
    found = [Page(_FIRST, "", range(1, PAGE + 1))]
    places = sorted({place for place in _PLACES if place <= messages} | {messages})
    for place in places:
        first = min(place, messages - PAGE + 1)
        end = first + PAGE
        found += [
            Page(f"list_page_at_{short(place)}_ms", f"?after={first - 1}", range(first, end)),
            Page(
                f"list_page_desc_at_{short(place)}_ms",
                f"?order=desc&before={end}",
                range(end - 1, first - 1, -1),
            ),
        ]
    return found


def short(number: int) -> str:
    """1000000 as 1m, 10000 as 10k; what is no whole thousand as it is."""
    for unit, name in ((1_000_000, "m"), (1000, "k")):
        if number and number % unit == 0:
            return f"{number // unit}{name}"
    return str(number)


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
        name: Figure(value, "ms", {} if name == _FIRST else {"page1": value / middle[_FIRST]})
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
                f"{middle[page.name] / middle[_FIRST]:.2f}",
            )
            for page in asked
        ],
    )
    write("list", figures, {"messages": messages, "milliseconds": times})
