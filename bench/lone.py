"""`lone`: what a client waits that is alone, here and at a plain view that knows no groups.

Both are asked in turn, some requests at a time on a connection that is kept, with a pause before
each turn in which the product's worker stores what it was given.
"""

import time
from collections.abc import Callable, Iterator
from statistics import median, quantiles

from bench import product, texts
from bench.client import Client
from bench.plain.running import plain
from bench.product import Chat
from bench.report import Figure, print_table, write
from bench.services import services

_TURN = 25
_WARM_UP = 50
_PAUSE_SECONDS = 0.3

Send = Callable[[str], object]


def lone(*, requests: int) -> None:
    """Measure and report."""
    places = services()
    chat = product.new_chat(places.base_url)
    with (
        plain(places) as plain_url,
        Client(places.base_url) as here,
        Client(plain_url) as there,
    ):
        senders = {"this system": _sender(here, chat), "plain view": _sender(there, chat)}
        for send in senders.values():
            _times(send, texts.bodies(_WARM_UP))
        times = _in_turns(senders, requests)
    _report(times)


def _sender(client: Client, chat: Chat) -> Send:
    return lambda body: client.create(chat.messages_path, body=body)


def _in_turns(senders: dict[str, Send], requests: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in senders}
    bodies = texts.bodies(requests)
    for start in range(0, requests, _TURN):
        for name, send in senders.items():
            time.sleep(_PAUSE_SECONDS)
            times[name] += _times(send, bodies[start : start + _TURN])
    return times


def _times(send: Send, bodies: list[str]) -> list[float]:
    return list(_each_ms(send, bodies))


def _each_ms(send: Send, bodies: list[str]) -> Iterator[float]:
    for body in bodies:
        before = time.perf_counter()
        send(body)
        yield 1000 * (time.perf_counter() - before)


def _report(times: dict[str, list[float]]) -> None:
    middle = {name: median(values) for name, values in times.items()}
    p95 = {name: quantiles(values, n=20)[-1] for name, values in times.items()}
    print_table(
        ("", "requests", "median ms", "p95 ms"),
        [
            (name, str(len(times[name])), f"{middle[name]:.2f}", f"{p95[name]:.2f}")
            for name in times
        ],
    )
    ratio = middle["this system"] / middle["plain view"]
    print(f"this system / plain view = {ratio:.2f} (medians)")
    write(
        "lone",
        {
            "lone_post_ms": Figure(middle["this system"], "ms", {"plain": ratio}),
            "lone_post_p95_ms": Figure(p95["this system"], "ms"),
            "plain_post_ms": Figure(middle["plain view"], "ms"),
            "plain_post_p95_ms": Figure(p95["plain view"], "ms"),
        },
        {"milliseconds": times},
    )
