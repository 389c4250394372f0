"""What else this system accepts: many messages in one request, and chats."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

from bench import product, texts
from bench.accepting.arena import Arena
from bench.product import API
from bench.report import Figure, print_table
from bench.rounds import alternate, loads
from bench.target import Target

PER_REQUEST = 100
#: Fewer than for single messages: each request is a hundred of them.
_CONNECTIONS = 8
_DIFFERENT = 50


def others(arena: Arena, single: float, *, seconds: float, rounds: int) -> dict[str, Figure]:
    """`single`: messages a second by requests of one."""
    bulk = PER_REQUEST * _rate(arena, _bulk(arena), _bulk_requests(arena), seconds, rounds)
    chats = _rate(arena, _chats(arena), _chat_requests(arena), seconds, rounds)
    print_table(
        ("", "a second"),
        [(f"messages by {PER_REQUEST}", f"{bulk:.0f}"), ("chats", f"{chats:.0f}")],
    )
    return {
        "bulk_messages_per_s": Figure(bulk, "messages/s", {"single": bulk / single}),
        "post_chat_rps": Figure(chats, "requests/s", {"post_message": chats / single}),
    }


def _rate(arena: Arena, target: Target, requests: Path, seconds: float, rounds: int) -> float:
    connections = _CONNECTIONS if target.name == "bulk" else arena.connections
    done = alternate([target], requests, seconds=seconds, rounds=rounds, connections=connections)
    return median(load.rate for load in loads(done, target.name))


def _bulk(arena: Arena) -> Target:
    chat = product.new_chat(arena.services.base_url)
    return Target(
        name="bulk",
        address=f"{arena.services.base_url}{chat.messages_path}/bulk",
        count_stored=lambda: product.count_messages(arena.database, chat) // PER_REQUEST,
    )


def _chats(arena: Arena) -> Target:
    token = product.new_chat(arena.services.base_url).token
    return Target(
        name="chats",
        address=f"{arena.services.base_url}{API}/applications/{token}/chats",
        count_stored=partial(product.count_chats, arena.database, token),
    )


def _bulk_requests(arena: Arena) -> Path:
    bodies = texts.bodies(_DIFFERENT * PER_REQUEST)
    documents = [
        {"messages": [{"body": body} for body in bodies[start : start + PER_REQUEST]]}
        for start in range(0, len(bodies), PER_REQUEST)
    ]
    return _written(arena.requests.with_name("bulk"), documents)


def _chat_requests(arena: Arena) -> Path:
    documents = [{"name": f"chat {number}"} for number in range(_DIFFERENT)]
    return _written(arena.requests.with_name("chats"), documents)


def _written(path: Path, documents: Sequence[object]) -> Path:
    lines = [json.dumps(document, ensure_ascii=False) for document in documents]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
