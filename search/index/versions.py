"""The versions of the documents in the index, for comparing it with the table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingest.records import Key
from search.errors import failure
from search.index.client import failures, patient_client
from search.index.layout import Role, alias, document_name

PAGE = 5000
_ORDER = ("application_token", "chat_number", "message_number")
_KEEP_OPEN = "5m"


@dataclass(frozen=True, slots=True)
class Versioned:
    """The key of a message, and its version in the table or the index."""

    key: Key
    version: int


def refresh() -> None:
    """Make all written documents searchable. Raises IndexUnusable."""
    with failures():
        patient_client().indices.refresh(index=alias(Role.READ))


def all_versions() -> Iterator[Versioned]:
    """Every document as of now, by natural key, read in pages. Raises IndexUnusable."""
    client = patient_client()
    with failures():
        snapshot = client.open_point_in_time(index=alias(Role.READ), keep_alive=_KEEP_OPEN)["id"]
    try:
        after: Sequence[object] | None = None
        while True:
            with failures():
                answer = client.search(
                    pit={"id": snapshot, "keep_alive": _KEEP_OPEN},
                    query={"match_all": {}},
                    sort=[{field: "asc"} for field in _ORDER],
                    search_after=after,
                    size=PAGE,
                    source=False,
                    version=True,
                    track_total_hits=False,
                    allow_partial_search_results=False,
                )
            hits = answer["hits"]["hits"]
            for hit in hits:
                # The sort values after the key are the position of the document in its shard.
                yield Versioned(tuple(hit["sort"][: len(_ORDER)]), hit["_version"])
            if len(hits) < PAGE:
                return
            after = hits[-1]["sort"]
    finally:
        with failures():
            client.options(ignore_status=404).close_point_in_time(id=snapshot)


def versions_of(keys: Sequence[Key]) -> Mapping[Key, int]:
    """The current versions of these documents, searchable or not. Raises IndexUnusable."""
    if not keys:
        return {}
    documents = [{"_id": document_name(key), "routing": document_name(key[:-1])} for key in keys]
    with failures():
        answer = patient_client().mget(index=alias(Role.READ), docs=documents, source=False)
    versions = {}
    for key, document in zip(keys, answer["docs"], strict=True):
        # The status is 200 even if every document failed. A closed index is not an empty one.
        if "error" in document:
            raise failure(answer.meta.status, document["error"])
        if document.get("found"):
            versions[key] = document["_version"]
    return versions


def random_keys(count: int, seed: int) -> list[Key]:
    """The keys of random documents. Raises IndexUnusable."""
    at_random = {"function_score": {"random_score": {"seed": seed, "field": "message_number"}}}
    with failures():
        answer = patient_client().search(
            index=alias(Role.READ),
            query=at_random,
            size=count,
            source={"includes": list(_ORDER)},
            allow_partial_search_results=False,
        )
    return [tuple(hit["_source"][field] for field in _ORDER) for hit in answer["hits"]["hits"]]
