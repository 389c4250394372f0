"""`search`: what a search in one chat costs by the number of messages in the whole index.

For each size an index of its own is made, filled and searched by the product's code. All have the
same chats and get the same queries in turns. A search is that of a page of fifty, newest first.
"""

import gzip
import json
import os
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path
from statistics import median
from uuid import uuid4

from bench import BenchError, texts
from bench.product_code import Message, fill_index, remove_indexes, search_index
from bench.report import Figure, Results, print_table, print_times, rounded
from bench.rounds import interleave

_GENERATED = 100_000
_GENERATED_PER_CHAT = 400
_LENGTHS = (1, 2, 3, 6, 12, 30)
_QUERIES_EACH = 40
_LIMIT = 51


def search(*, sizes: Sequence[int], rounds: int) -> Results:
    """Measure and report. Raises BenchError when an index misses a hit."""
    smallest = list(corpus(min(sizes)))
    # The last chat may be cut off, and would be larger in a larger index.
    last = smallest[-1]
    whole = [one for one in smallest if (one.token, one.chat) != (last.token, last.chat)]
    queries = _queries(whole)
    prefix = f"bench_{uuid4().hex[:8]}"
    names = {size: f"{prefix}_{size}" for size in sizes}
    try:
        filled = {size: fill_index(name, corpus(size)) for size, name in names.items()}
        asking = {
            f"{size} messages": partial(_next_ms, name, cycle(queries))
            for size, name in names.items()
        }
        times = interleave(asking, rounds * len(queries))
    finally:
        for name in names.values():
            remove_indexes(name)
    print_times(f"one chat of {_source_name()}", times)
    made = {
        size: (size / seconds, size_in_bytes / size)
        for size, (seconds, size_in_bytes) in filled.items()
    }
    rows = [(str(size), *map(rounded, each)) for size, each in made.items()]
    print_table(("messages in the index", "indexed/s", "bytes/message"), rows)
    middles = dict(zip(sizes, map(median, times.values()), strict=True))
    figures = {
        f"search_ms_{size}": Figure(ms, "ms", {"smallest": ms / middles[min(sizes)]})
        for size, ms in middles.items()
    }
    rate, size_each = made[max(sizes)]
    figures["search_index_rows_per_s"] = Figure(rate, "messages/s")
    figures["search_index_bytes_per_message"] = Figure(size_each, "bytes")
    return Results(figures, {"source": _source_name()})


def _next_ms(name: str, queries: Iterator[tuple[Message, str]]) -> float:
    message, text = next(queries)
    before = time.perf_counter()
    numbers = search_index(name, message, text, _LIMIT)
    taken = 1000 * (time.perf_counter() - before)
    if message.number not in numbers and len(numbers) < _LIMIT:
        raise BenchError(f"{text!r} is not found in {message}")
    return taken


def _queries(messages: Sequence[Message]) -> list[tuple[Message, str]]:
    """Substrings of messages drawn at random, of several lengths, each with its message."""
    source = random.Random(7)
    found: list[tuple[Message, str]] = []
    for length in _LENGTHS:
        long_enough = [one for one in messages if len(one.body) >= length]
        for message in source.choices(long_enough, k=_QUERIES_EACH):
            start = source.randrange(len(message.body) - length + 1)
            found.append((message, message.body[start : start + length]))
    return found


def corpus(messages: int) -> Iterator[Message]:
    """The first messages of the file that CONVERSATIONS names, else of generated ones.

    A corpus larger than its source repeats it under further applications, so that the chats stay
    as large as they are and only the index grows.
    """
    return islice(_repeated(list(_source())), messages)


def _source_name() -> str:
    given = os.environ.get("CONVERSATIONS")
    return Path(given).name if given else "generated text"


def _repeated(source: list[tuple[str, str, str]]) -> Iterator[Message]:
    for repetition in count():
        applications: dict[str, int] = {}
        chats: dict[tuple[str, str], int] = {}
        numbers: defaultdict[tuple[str, str], int] = defaultdict(int)
        for application, chat, body in source:
            place = applications.setdefault(application, len(applications))
            chat_number = chats.setdefault((application, chat), len(chats) + 1)
            numbers[application, chat] += 1
            token = f"{repetition:012x}{place:012x}"
            yield Message(token, chat_number, numbers[application, chat], body)


def _source() -> Iterator[tuple[str, str, str]]:
    """Application, chat and body of each message."""
    if not (given := os.environ.get("CONVERSATIONS")):
        for place, body in enumerate(texts.bodies(_GENERATED)):
            yield "generated", str(place // _GENERATED_PER_CHAT), body
        return
    with gzip.open(given, "rt", encoding="utf-8") as lines:
        for line in lines:
            message = json.loads(line)
            yield message["application"], message["chat"], message["body"]
