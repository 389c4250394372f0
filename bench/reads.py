"""`list`, `item`: what reading a long chat costs, one page at a time and over many connections."""

import json
import random
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain
from statistics import median

from bench import BenchError
from bench.filling import filled
from bench.product import Chat, Client, Database
from bench.report import (
    LOADS,
    Figure,
    documents,
    load_figures,
    print_samples,
    print_times,
    short,
    write,
)
from bench.rounds import interleave
from bench.services import services
from bench.wrk import Request, checked, load, request_file

PAGE = 50
_PLACES = (1, 1_000, 10_000, 100_000, 1_000_000)
_WARM_UP_TURNS, _WARM_UP_SECONDS = 20, 3.0
_DIFFERENT = 20_000


@dataclass(frozen=True)
class Page:
    """A page, and the numbers that it must show, in this order."""

    name: str
    query: str
    numbers: range


def pages_of(messages: int) -> list[Page]:
    """The first page without a cursor, then at each place that page from both directions.

    The last place is the end of the chat.
    """
    found = [Page("list_page1_ms", "", range(1, PAGE + 1))]
    for place in sorted({place for place in _PLACES if place <= messages} | {messages}):
        first = min(place, messages - PAGE + 1)
        end, name = first + PAGE, short(place)
        backwards = range(end - 1, first - 1, -1)
        query = f"?order=desc&before={end}"
        found += [
            Page(f"list_page_at_{name}_ms", f"?after={first - 1}", range(first, end)),
            Page(f"list_page_desc_at_{name}_ms", query, backwards),
        ]
    return found


def pages(*, messages: int, turns: int) -> None:
    """Measure pages by where in the chat they lie, asked for by one client on a kept connection.

    Raises BenchError when a page shows other numbers than it must.
    """
    asked = pages_of(messages)
    with (
        filled(Database(services().database_url), chats=1, messages=messages) as token,
        Client(services().base_url) as client,
    ):
        path = Chat(token, 1).messages_path
        asking = {page.name: partial(_page_ms, client, path, page) for page in asked}
        times = interleave(asking, turns, _WARM_UP_TURNS)
    print_times(f"a chat of {messages} messages", times)
    first = median(times[asked[0].name])
    figures = {
        name: Figure(median(each), "ms", {"page1": median(each) / first})
        for name, each in times.items()
    }
    write("list", figures, {"messages": messages, "milliseconds": times})


def _page_ms(client: Client, path: str, page: Page) -> float:
    """Milliseconds until the answer has arrived; decoding it is no work of the server."""
    before = time.perf_counter()
    content = client.fetch(path + page.query)
    taken = 1000 * (time.perf_counter() - before)
    numbers = [each["message_number"] for each in json.loads(content)["results"]]
    if numbers != list(page.numbers):
        raise BenchError(f"{path}{page.query} shows {numbers}")
    return taken


def items(*, messages: int, seconds: float, rounds: int, connections: int) -> None:
    """Measure reads a second anywhere in the chat, of messages and of pages.

    Raises BenchError when a read fails.
    """
    database, base_url = Database(services().database_url), services().base_url
    numbers = random.choices(range(1, messages - PAGE + 2), k=_DIFFERENT)
    with filled(database, chats=1, messages=messages) as token, ExitStack() as opened:
        path = Chat(token, 1).messages_path
        measures = {}
        for name, query in (("get_item", "/{}"), ("get_list", "?after={}")):
            requests = (Request("GET", path + query.format(number)) for number in numbers)
            file = opened.enter_context(request_file(requests))
            send = partial(load, base_url, file, connections=connections)
            send(seconds=_WARM_UP_SECONDS)
            measures[name] = partial(send, seconds=seconds)
        seen = interleave(measures, rounds)
    print_samples(f"a chat of {messages} messages", seen, LOADS)
    for each in chain.from_iterable(seen.values()):
        checked(each)
    figures: dict[str, Figure] = {}
    for name, loads in seen.items():
        figures |= load_figures(name, loads, {"get_item": seen["get_item"]})
    write("item", figures, {"messages": messages, "runs": documents(seen)})
