"""`contract`: what keys, Idempotency-Keys and limits cost a create, beside the same without.

Two web servers of this measurement's own, on the stack's services: one asks for nothing, the other
for a key, limits (far above the load), and is sent an Idempotency-Key with each request. The first
one gets the same headers under names that mean nothing, so that the load costs the same.
"""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from statistics import median

from bench import product, texts
from bench.client import Client
from bench.database import Database
from bench.errors import BenchError
from bench.product import API, Chat
from bench.report import Figure, print_table, write
from bench.rounds import Round, alternate
from bench.servers import product_server
from bench.services import services
from bench.target import Target
from bench.wrk import Keys

_OFF, _ON = "all off", "keys, idempotency, limits"
_SETTINGS: Mapping[str, Mapping[str, str]] = {
    _OFF: {"REQUIRE_KEYS": "0", "RATE_LIMIT": ""},
    _ON: {"REQUIRE_KEYS": "1", "RATE_LIMIT": "1000000/s"},
}


def contract(*, seconds: float, rounds: int, connections: int) -> None:
    """Measure and report. Raises BenchError when not every request was accepted and stored."""
    database = Database(services().database_url)
    with (
        product_server("contract", _SETTINGS[_OFF]) as off,
        product_server("contract", _SETTINGS[_ON]) as on,
        texts.request_file() as requests,
    ):
        targets = [
            _target(_OFF, off.url, database, *_new_chat(off.url), prefix="X-No-"),
            _target(_ON, on.url, database, *_new_chat(off.url), prefix=""),
        ]
        done = alternate(targets, requests, seconds=seconds, rounds=rounds, connections=connections)
    _report(done)


def _new_chat(base_url: str) -> tuple[Chat, str]:
    """A chat, and the key of its application."""
    with Client(base_url) as client:
        application = client.create(f"{API}/applications", name="bench")
        chat = client.create(f"{API}/applications/{application['token']}/chats", name="bench")
    return Chat(application["token"], chat["chat_number"]), str(application["key"])


def _target(
    name: str, base_url: str, database: Database, chat: Chat, key: str, *, prefix: str
) -> Target:
    return Target(
        name=name,
        address=base_url + chat.messages_path,
        count_stored=partial(product.count_messages, database, chat),
        keys=Keys(key, prefix),
    )


def _report(done: list[Round]) -> None:
    refused = sum(each.load.refused + each.load.broken for each in done)
    if refused:
        raise BenchError(f"{refused} requests were not accepted")
    rates = {
        name: median(each.load.rate for each in done if each.target == name and not each.is_warm_up)
        for name in _SETTINGS
    }
    costs = {
        name: median(
            each.load.processor_ms for each in done if each.target == name and not each.is_warm_up
        )
        for name in _SETTINGS
    }
    ratio = rates[_ON] / rates[_OFF]
    print_table(
        ("", "201/s", "cpu ms/201"),
        [(name, f"{rates[name]:.0f}", f"{costs[name]:.2f}") for name in _SETTINGS],
    )
    print(f"{_ON} / {_OFF} = {ratio:.2f} (medians)")
    figures = {"contract_post_message_rps": Figure(rates[_ON], "requests/s", {"off": ratio})}
    write("contract", figures, {"rounds": [asdict(each) for each in done]})
