"""`list`, `reads`: what reading costs, one page at a time, and over many connections.

`reads` measures each route beside a stock view that reads the same rows, all in the same rounds.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain
from statistics import median

from bench import BenchError
from bench.filling import filled
from bench.product import Chat, Client, Database, backlog
from bench.report import (
    LOADS,
    Figure,
    Results,
    documents,
    load_figures,
    middle,
    print_samples,
    print_times,
    short,
)
from bench.rivals.designs import (
    NOOP_DJANGO,
    STOCK_EDIT,
    STOCK_ITEM,
    STOCK_LIST,
    STOCK_SEARCH,
    Design,
)
from bench.rivals.running import Runner
from bench.rounds import Target, alternate, interleave
from bench.routes import PAGE, Asker
from bench.services import services
from bench.wrk import Load, Request, checked, request_file

_PLACES = (1, 1_000, 10_000, 100_000, 1_000_000)
_WARM_UP_TURNS = 20
_DIFFERENT = 20_000
_APPLICATIONS = 10
#: The last chats of each application are edited and not read, so that tags stay what they are.
_EDITED_CHATS = 1


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


def pages(*, messages: int, turns: int) -> Results:
    """Measure pages by where in the chat they lie, asked for by one client on a kept connection.

    Raises BenchError when a page shows other numbers than it must.
    """
    asked = pages_of(messages)
    with (
        filled(Database(services().database_url), chats=1, messages=messages) as [chat],
        Client(services().base_url) as client,
    ):
        asking = {page.name: partial(_page_ms, client, chat.messages_path, page) for page in asked}
        times = interleave(asking, turns, _WARM_UP_TURNS)
    print_times(f"a chat of {messages} messages", times)
    first = median(times[asked[0].name])
    figures = {
        name: Figure(median(each), "ms", {"page1": median(each) / first})
        for name, each in times.items()
    }
    return Results(figures, {"messages": messages, "milliseconds": times})


def _page_ms(client: Client, path: str, page: Page) -> float:
    """Milliseconds until the answer has arrived; decoding it is no work of the server."""
    before = time.perf_counter()
    content = client.fetch(path + page.query)
    taken = 1000 * (time.perf_counter() - before)
    numbers = [each["message_number"] for each in json.loads(content)["results"]]
    if numbers != list(page.numbers):
        raise BenchError(f"{path}{page.query} shows {numbers}")
    return taken


@dataclass(frozen=True)
class _Route:
    """A route, and the designs that it is measured beside; `status` of an answer to it."""

    name: str
    rivals: Sequence[Design] = ()
    status: int = 200
    is_page: bool = False


#: By the beginning of the names of the figures.
_ROUTES: Mapping[str, _Route] = {
    "get_item": _Route("item", (NOOP_DJANGO, STOCK_ITEM)),
    "get_item_304": _Route("unchanged", status=304),
    "get_list": _Route("page", (STOCK_LIST,), is_page=True),
    "search": _Route("search", (STOCK_SEARCH,), is_page=True),
    "edit": _Route("edit", (STOCK_EDIT,)),
}


def reads(
    *,
    chats: int,
    messages: int,
    seconds: float,
    rounds: int,
    connections: int,
    threads: Sequence[int],
) -> Results:
    """Measure reads and edits a second, anywhere in `chats` chats of `messages` messages each.

    Raises BenchError when a request fails, or is answered with less than it must be.
    """
    database = Database(services().database_url)
    each = chats // _APPLICATIONS + _EDITED_CHATS
    with (
        filled(
            database, chats=each, messages=messages, applications=_APPLICATIONS, is_indexed=True
        ) as made,
        ExitStack() as started,
    ):
        targets = list(_targets(started, database, made, messages, connections, threads))
        seen = alternate(targets, seconds=seconds, rounds=rounds)
    print_samples(f"{chats} chats of {messages} messages", seen, LOADS)
    for one in chain.from_iterable(seen.values()):
        checked(one)
    servers = {target.name: target.served_by for target in targets}
    details = {"messages": messages, "servers": servers, "runs": documents(seen)}
    return Results(figures_of(seen), details)


def figures_of(seen: Mapping[str, Sequence[Load]]) -> dict[str, Figure]:
    """The figures of each route and of its rivals, by the loads of all of them."""
    figures: dict[str, Figure] = {}
    for name, route in _ROUTES.items():
        others = {design.name: seen[design.name] for design in route.rivals}
        for rival, loads in others.items():
            rate = middle(loads, lambda load: load.rate)
            # The name says what is read: this rival also has a figure for its creates.
            prefix = "noop_django_get" if rival == NOOP_DJANGO.name else rival
            figures[f"{prefix}_rps"] = Figure(rate, "requests/s")
        if route.name == "unchanged":
            others = {"item": seen["get_item"]}
        figures |= load_figures(name, seen[name], others)
    return figures


def _targets(
    started: ExitStack,
    database: Database,
    made: Sequence[Chat],
    messages: int,
    connections: int,
    threads: Sequence[int],
) -> Iterator[Target]:
    """The product's routes, and each rival that it is measured beside, as it runs."""
    last = max(chat.number for chat in made)
    edited = [chat for chat in made if chat.number > last - _EDITED_CHATS]
    read = [chat for chat in made if chat not in edited]
    tokens = sorted({chat.token for chat in made})
    for name, route in _ROUTES.items():
        asked = edited if route.name == "edit" else read
        requests = Asker(asked, messages).requests(route.name, _DIFFERENT)
        file = started.enter_context(request_file(requests))
        base_url = services().base_url
        check(base_url, requests[0], route.status, is_page=route.is_page)
        yield Target(name, base_url, file, connections, backlog=partial(backlog, database))
        for design in route.rivals:
            requests = Asker(asked, messages, is_stock=True).requests(route.name, _DIFFERENT)
            file = started.enter_context(request_file(requests))
            runner = Runner(design, file, connections, tokens)
            target = started.enter_context(runner.running(threads))
            check(target.url, requests[0], is_page=route.is_page)
            yield target


def check(url: str, request: Request, status: int = 200, *, is_page: bool = False) -> None:
    """Send one request. Raises BenchError unless it has this status and, a page, is a full one."""
    with Client(url) as client:
        content = client.expect(status, request)
    if is_page and len(json.loads(content)["results"]) != PAGE:
        raise BenchError(f"{request.path} of {url} shows no full page")
