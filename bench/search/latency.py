"""`search`: what a search in one chat costs by how many messages the whole index has.

For each size an index of its own is made, filled and searched by the product's own code; the chats
that are searched, and the queries, are the same in all of them, asked in turns. A search is that of
a page of fifty, newest first. The indexes are removed afterwards.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from statistics import median, quantiles
from uuid import uuid4

from django.conf import settings

from bench.errors import BenchError
from bench.report import Figure, print_table, write
from bench.search.corpus import Said, corpus, queries, source_name
from infra.versions import FIRST_VERSION
from listing.pages import Window
from search.index import lifecycle
from search.index.bulk_writing import Change
from search.index.bulk_writing import write as write_changes
from search.index.client import patient_client
from search.index.documents import Content
from search.index.layout import layout, pattern
from search.index.queries import ElasticsearchSearch

_LENGTHS = (1, 2, 3, 6, 12, 30)
_QUERIES_EACH = 40
_WRITTEN_AT_ONCE = 1000
_PAGE = Window(limit=51, descending=True)


def latency(*, sizes: Sequence[int], rounds: int) -> None:
    """Measure and report. Raises BenchError when an index misses a hit."""
    smallest = list(corpus(min(sizes)))
    # The last chat may be cut off, and would be larger in a larger index.
    whole = [
        one for one in smallest if (one.token, one.chat) != (smallest[-1].token, smallest[-1].chat)
    ]
    asked = [pair for length in _LENGTHS for pair in queries(whole, length, _QUERIES_EACH)]
    prefix = f"bench_{uuid4().hex[:8]}"
    names = {size: f"{prefix}_{size}" for size in sizes}
    try:
        filled = {size: _fill(name, size) for size, name in names.items()}
        times: dict[int, list[float]] = {size: [] for size in sizes}
        for _ in range(rounds):
            _one_round(names, asked, times)
        _report(filled, times)
    finally:
        for name in names.values():
            with _index_named(name):
                for index in patient_client().indices.get(index=pattern()):
                    lifecycle.remove(index)


@contextmanager
def _index_named(name: str) -> Iterator[None]:
    """The product's code uses the index of this name."""
    before = settings.ENVIRONMENT
    settings.ENVIRONMENT = before.model_copy(update={"elasticsearch_index": name})
    try:
        yield
    finally:
        settings.ENVIRONMENT = before


def _fill(name: str, size: int) -> tuple[float, float]:
    """Messages a second, bytes a message."""
    with _index_named(name):
        index = f"{name}-1"
        lifecycle.create(index)
        targets = layout().targets
        rows, before = corpus(size), time.perf_counter()
        while some := list(islice(rows, _WRITTEN_AT_ONCE)):
            if write_changes([_change(one) for one in some], targets):
                raise BenchError("documents were refused")
        rate = size / (time.perf_counter() - before)
        lifecycle.make_live(index)
        client = patient_client().options(request_timeout=600)
        client.indices.forcemerge(index=index, max_num_segments=1)
        client.indices.refresh(index=index)
        store = client.indices.stats(index=index, metric="store")["_all"]["total"]["store"]
        return rate, store["size_in_bytes"] / size


def _change(said: Said) -> Change:
    at = datetime.now(UTC)
    row = Content(0, said.token, said.chat, said.number, said.body, at, at, FIRST_VERSION)
    return Change(row.key, row)


def _one_round(
    names: dict[int, str], asked: Sequence[tuple[Said, str]], times: dict[int, list[float]]
) -> None:
    for said, text in asked:
        for size, name in names.items():
            with _index_named(name):
                before = time.perf_counter()
                hits = (
                    ElasticsearchSearch()
                    .hits(application_token=said.token, chat_number=said.chat, query=text)
                    .items(_PAGE)
                )
                times[size].append(1000 * (time.perf_counter() - before))
            numbers = [hit.message_number for hit in hits]
            if said.number not in numbers and len(numbers) < _PAGE.limit:
                raise BenchError(f"{text!r} is not found in {said}")


def _report(filled: dict[int, tuple[float, float]], times: dict[int, list[float]]) -> None:
    base = median(times[min(times)])
    print(f"messages of {source_name()}; each search in one chat, queries of 1 to 30 characters")
    print_table(
        (
            "messages in the index",
            "indexed/s",
            "bytes/message",
            "median ms",
            "p95 ms",
            "/ smallest",
        ),
        [
            (
                f"{size}",
                f"{rate:.0f}",
                f"{size_each:.0f}",
                f"{median(times[size]):.2f}",
                f"{quantiles(times[size], n=20)[-1]:.2f}",
                f"{median(times[size]) / base:.2f}",
            )
            for size, (rate, size_each) in filled.items()
        ],
    )
    figures = {
        f"search_ms_{size}": Figure(
            median(times[size]), "ms", {"smallest": median(times[size]) / base}
        )
        for size in times
    }
    largest = max(filled)
    figures["search_index_rows_per_s"] = Figure(filled[largest][0], "messages/s")
    figures["search_index_bytes_per_message"] = Figure(filled[largest][1], "bytes")
    write("search", figures, {"source": source_name()})
