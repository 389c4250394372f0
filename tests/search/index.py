"""A separate index on the stack's Elasticsearch."""

from typing import Any

from elasticsearch import Elasticsearch

from ingest.records import Key
from search import index_build
from search.index import versions
from search.index.layout import Role, alias, document_name, pattern
from search.indexer import Workload, index_batch


class SearchIndex:
    """The search worker's actions, triggered by the test."""

    def __init__(self, server: Elasticsearch) -> None:
        self.server = server

    def keep_up(self) -> None:
        """Index all recorded changes and make them searchable."""
        while index_batch() is not Workload.NONE:
            pass
        versions.refresh()

    def wipe(self) -> None:
        """Delete all data of the index, as if Elasticsearch had lost it."""
        for name in self.names():
            self.server.options(ignore_status=404).indices.delete(index=name)

    def names(self) -> set[str]:
        """The names of the existing indexes."""
        return set(self.server.indices.get(index=pattern()))

    def source(self, key: Key) -> dict[str, Any] | None:
        """The indexed document of a message."""
        [found] = self.server.mget(
            index=alias(Role.READ),
            docs=[{"_id": document_name(key), "routing": document_name(key[:-1])}],
        )["docs"]
        return found["_source"] if found.get("found") else None

    def rebuild(self) -> None:
        """Replace the index with one that is built from the table."""
        index_build.begin()
        index_build.resume()
