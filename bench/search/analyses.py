"""`analyses`: ways to make any substring findable, by the size of their index and their speed.

Each indexes the same folded texts into an index of its own, merged to one segment, and answers the
same queries, each within one chat, as the product does: newest first, 51 hits at most. All must
give the same hits. The indexes are removed afterwards.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from elasticsearch import Elasticsearch

from bench.errors import BenchError
from bench.report import Figure, print_table, write
from bench.search.corpus import Said, corpus, queries, source_name
from search.fold_and_highlight import fold

_LENGTHS = (1, 2, 3, 6, 12, 30)
_QUERIES_EACH = 60
_BULK = 1000
_END = "\0"

Json = dict[str, Any]


@dataclass(frozen=True)
class Analysis:
    """How texts are cut into terms, and what finds a query of some length among them."""

    name: str
    fields: Json
    query: Callable[[str], Json]
    settings: Json = field(default_factory=dict)
    text: Callable[[str], str] = fold


def _grams(size: int, *, positions: bool) -> Json:
    return {
        "type": "text",
        "analyzer": f"grams_{size}",
        "norms": False,
        "index_options": "positions" if positions else "docs",
    }


def _one_to_three(query: str) -> Json:
    if len(query) < 3:
        return {"term": {f"text.g{len(query)}": query}}
    return {"match_phrase": {"text": query}}


def _bigrams(query: str) -> Json:
    if len(query) == 1:
        return {"term": {"text.g1": query}}
    return {"match_phrase": {"text": query}}


def _bigrams_alone(query: str) -> Json:
    if len(query) == 1:
        return {"prefix": {"text": query}}
    return {"match_phrase": {"text": query}}


_ONE_TO_THREE: Json = {
    **_grams(3, positions=True),
    "fields": {"g1": _grams(1, positions=False), "g2": _grams(2, positions=False)},
}
_BIGRAMS: Json = {**_grams(2, positions=True), "fields": {"g1": _grams(1, positions=False)}}
_SORTED: Json = {"sort.field": ["chat", "number"], "sort.order": ["asc", "desc"]}

ANALYSES = (
    Analysis("1-, 2- and 3-grams, phrases of 3", _ONE_TO_THREE, _one_to_three),
    Analysis("the same, index sorted by chat", _ONE_TO_THREE, _one_to_three, _SORTED),
    Analysis("1- and 2-grams, phrases of 2", _BIGRAMS, _bigrams),
    Analysis("the same, index sorted by chat", _BIGRAMS, _bigrams, _SORTED),
    Analysis(
        "2-grams alone, prefix for one character",
        _grams(2, positions=True),
        _bigrams_alone,
        text=lambda body: fold(body) + _END,
    ),
)


@dataclass(frozen=True)
class Measured:
    """What one analysis cost: bytes of the index, and milliseconds by the query's length."""

    name: str
    rows_per_s: float
    bytes_per_message: float
    search_ms: dict[int, float]


def analyses(*, messages: int, rounds: int) -> None:
    """Measure and report. Raises BenchError when two analyses disagree."""
    client = Elasticsearch(os.environ["ELASTICSEARCH_URL"], request_timeout=120)
    said = list(corpus(messages))
    asked = {length: queries(said, length, _QUERIES_EACH) for length in _LENGTHS}
    names = [f"bench-analysis-{place}" for place in range(len(ANALYSES))]
    try:
        built = [
            _build(client, name, analysis, said)
            for name, analysis in zip(names, ANALYSES, strict=True)
        ]
        times: list[dict[int, list[float]]] = [{length: [] for length in asked} for _ in names]
        for _ in range(rounds):
            _one_round(client, names, asked, times)
        _report(said, built, times)
    finally:
        client.options(ignore_status=404).indices.delete(index=",".join(names))


def _build(
    client: Elasticsearch, name: str, analysis: Analysis, said: Sequence[Said]
) -> tuple[float, float]:
    """Rows a second, bytes a message."""
    tokenizers = {
        f"grams_{size}": {"type": "ngram", "min_gram": size, "max_gram": size} for size in (1, 2, 3)
    }
    client.options(ignore_status=404).indices.delete(index=name)
    client.indices.create(
        index=name,
        settings={
            "number_of_shards": 1,
            "number_of_replicas": 0,
            "refresh_interval": "1s",
            "analysis": {
                "tokenizer": tokenizers,
                "analyzer": {name: {"type": "custom", "tokenizer": name} for name in tokenizers},
            },
            **analysis.settings,
        },
        mappings={
            "dynamic": "strict",
            "_source": {"excludes": ["text"]},
            "properties": {
                "chat": {"type": "keyword"},
                "number": {"type": "long"},
                "body": {"type": "keyword", "index": False, "doc_values": False},
                "text": analysis.fields,
            },
        },
    )
    before = time.perf_counter()
    for start in range(0, len(said), _BULK):
        operations: list[Json] = []
        for one in said[start : start + _BULK]:
            chat = f"{one.token}/{one.chat}"
            operations.append({"index": {"_id": f"{chat}/{one.number}", "routing": chat}})
            operations.append({
                "chat": chat, "number": one.number, "body": one.body,
                "text": analysis.text(one.body),
            })  # fmt: skip
        answer = client.bulk(index=name, operations=operations)
        if answer["errors"]:
            raise BenchError(f"{analysis.name}: {answer['items'][0]}")
    rate = len(said) / (time.perf_counter() - before)
    client.indices.forcemerge(index=name, max_num_segments=1)
    client.indices.refresh(index=name)
    size = client.indices.stats(index=name, metric="store")["_all"]["total"]["store"]
    return rate, size["size_in_bytes"] / len(said)


def _one_round(
    client: Elasticsearch,
    names: Sequence[str],
    asked: dict[int, list[tuple[Said, str]]],
    times: list[dict[int, list[float]]],
) -> None:
    for length, of_length in asked.items():
        for said, text in of_length:
            hits = set()
            for place, (name, analysis) in enumerate(zip(names, ANALYSES, strict=True)):
                before = time.perf_counter()
                found = _search(client, name, f"{said.token}/{said.chat}", analysis, fold(text))
                times[place][length].append(1000 * (time.perf_counter() - before))
                hits.add(tuple(found))
            if len(hits) != 1 or (said.number not in found and len(found) < 51):
                raise BenchError(f"the analyses disagree about {text!r} in {said}")


def _search(
    client: Elasticsearch, name: str, chat: str, analysis: Analysis, folded: str
) -> list[int]:
    answer = client.search(
        index=name,
        routing=chat,
        query={"bool": {"filter": [{"term": {"chat": chat}}, analysis.query(folded)]}},
        sort=[{"chat": "asc"}, {"number": "desc"}],
        size=51,
        track_total_hits=False,
        source={"includes": ["body"]},
    )
    return [int(hit["sort"][1]) for hit in answer["hits"]["hits"]]


def _report(
    said: Sequence[Said],
    built: Sequence[tuple[float, float]],
    times: Sequence[dict[int, list[float]]],
) -> None:
    measured = [
        Measured(
            analysis.name, rate, size, {length: median(each) for length, each in spent.items()}
        )
        for analysis, (rate, size), spent in zip(ANALYSES, built, times, strict=True)
    ]
    average = sum(len(one.body.encode()) for one in said) / len(said)
    print(f"{len(said)} messages of {source_name()}, {average:.0f} bytes each on average")
    print_table(
        ("analysis", "indexed/s", "bytes/message", *(f"{length} ch. ms" for length in _LENGTHS)),
        [
            (
                each.name,
                f"{each.rows_per_s:.0f}",
                f"{each.bytes_per_message:.0f}",
                *(f"{each.search_ms[length]:.1f}" for length in _LENGTHS),
            )
            for each in measured
        ],
    )
    figures = {
        f"analysis_{place}_bytes_per_message": Figure(each.bytes_per_message, "bytes")
        for place, each in enumerate(measured)
    }
    write("analyses", figures, {"source": source_name(), "runs": [asdict(one) for one in measured]})
