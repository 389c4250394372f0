"""The measurements: their options, and the seconds that each may take in `make bench`.

The budgets add up to 3,190 s, which is less than 55 minutes with the start of the stack, and those
of the short form to 270 s. A measurement without a budget is run by its own name.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Value = float | tuple[int, ...]
Options = Mapping[str, tuple[Value, Value]]


@dataclass(frozen=True)
class Command:
    """A measurement: module and function, and by option the default and the value of --quick.

    The budgets are in seconds; None leaves the measurement out.
    """

    place: str
    help: str
    options: Options
    budget: int | None = None
    quick_budget: int | None = None


def _rounds(seconds: float = 8.0, rounds: int = 3) -> Options:
    return {"seconds": (seconds, 2.0), "rounds": (rounds, 1), "connections": (64, 64)}


_CONNECTIONS: Options = {"connections": (64, 64)}
_CHATS: Options = {"chats": (100, 20), "messages": (1000, 500)}
_THREADS: Options = {"threads": ((8, 32), (16,))}

MEANINGS: Mapping[str, str] = {
    "seconds": "of load in each round",
    "rounds": "in which each is measured once",
    "connections": "of wrk",
    "threads": "tried for each design that has threads",
    "steady": "seconds for which a rate must be sustained",
    "clients": "of the curve",
    "processes": "of each server",
    "rows": "in each backlog",
    "per_task": "rows in each task message",
    "messages": "in each chat",
    "turns": "in which each page is asked for once",
    "sizes": "messages in each index",
    "chats": "in all",
    "applications": "that share the chats",
    "streams": "open at the same time",
    "requests": "to one web process, more than 10,000",
}

COMMANDS: Mapping[str, Command] = {
    "warm": Command(
        "accepting:warm",
        "load on this system until its services have warmed up",
        {"seconds": (40.0, 8.0), **_CONNECTIONS},
        budget=60,
        quick_budget=15,
    ),
    "post": Command(
        "accepting:post",
        "messages accepted a second, beside other designs with the best of these threads",
        {**_rounds(6.0), **_THREADS},
        budget=500,
        quick_budget=110,
    ),
    "sustained": Command(
        "sustaining:sustained",
        "messages stored while no backlog grows, and accepted from these clients",
        {
            "steady": (20.0, 5.0),
            "clients": ((1, 16, 64, 256), (1, 64)),
            "seconds": (3.0, 2.0),
            **_CONNECTIONS,
            **_THREADS,
        },
        budget=220,
    ),
    "bulk": Command(
        "sustaining:bulk",
        "messages by bulk, and chats, beside single messages",
        _rounds(5.0),
        budget=90,
    ),
    "reads": Command(
        "reads:reads",
        "reads and edits a second, beside stock views of the same rows",
        {**_CHATS, **_rounds(5.0), **_THREADS},
        budget=520,
        quick_budget=80,
    ),
    "mixed": Command(
        "mixed:mixed",
        "all routes at once with keys, beside stock views",
        {**_CHATS, **_rounds(6.0), "connections": (300, 300), **_THREADS},
        budget=340,
        quick_budget=65,
    ),
    "profile": Command(
        "profiling:profile",
        "where the processor time of a message goes",
        {"seconds": (10.0, 5.0), **_CONNECTIONS},
        budget=60,
    ),
    "drain": Command(
        "drain:drain",
        "rows of a backlog that a worker stores a second; stops the stack's worker meanwhile",
        {"rows": (60_000, 40_000), "per_task": ((20, 200), (200,)), "rounds": (2, 1)},
        budget=130,
    ),
    "contract": Command(
        "web_servers:contract", "what keys, idempotency and limits cost", _rounds(6.0), budget=80
    ),
    "list": Command(
        "reads:pages",
        "a page of a long chat, by where it lies",
        {"messages": (1_000_000, 100_000), "turns": (100, 50)},
        budget=100,
    ),
    "search": Command(
        "search:search",
        "a search in one chat, by the number of messages in the index",
        {"sizes": ((10_000, 1_000_000), (10_000, 100_000)), "rounds": (2, 1)},
        budget=140,
    ),
    "counts": Command(
        "counts:counts",
        "the count job, by the share of chats that are flagged",
        {"chats": (10_000, 2000), "messages": (20, 20), "rounds": (2, 1)},
        budget=60,
    ),
    "scale": Command(
        "scale:scale",
        "a message by the number of chats and applications it may go to; Redis with idle chats",
        {
            "sizes": ((1000, 10_000, 100_000, 1_000_000), (1000, 10_000)),
            "applications": (10_000, 100),
            **_rounds(3.0, 5),
        },
        budget=600,
    ),
    "streams": Command(
        "streams:streams",
        "time from an answered create to its frame, with so many open streams; beside polling",
        {"seconds": (15.0, 10.0), "streams": (1000, 200), **_CONNECTIONS},
        budget=100,
    ),
    "listeners": Command(
        "streams:listeners",
        "many listeners of one chat with ten messages a second",
        {"seconds": (15.0, 10.0), "streams": (1000, 200)},
        budget=45,
    ),
    "idle": Command(
        "streams:idle",
        "idle streams of one web process: memory, processor time, opening, ending",
        {"seconds": (20.0, 10.0), "streams": (10_000, 1000)},
        budget=90,
    ),
    "embedded": Command(
        "web_servers:embedded",
        "messages accepted a second by the embedded profile",
        _rounds(6.0),
        budget=55,
    ),
    "memory": Command(
        "web_servers:memory",
        "memory of a web process after these requests",
        {"requests": (1_000_000, 30_000), **_CONNECTIONS},
    ),
    "log": Command("log_cost:log", "what the log of events costs a create", _rounds(rounds=5)),
    "servers": Command(
        "web_servers:servers",
        "this system behind several HTTP servers with these processes",
        {**_rounds(6.0), "processes": (2, 2)},
    ),
}
