"""Django's view of this package."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from ingest.dead_letters.models import DeadLetter
    from operations.audit.checks import Walk
    from operations.audit.findings import Finding


class SearchConfig(AppConfig):
    """Search over messages."""

    name = "search"

    def ready(self) -> None:
        """Follow the messages that are stored or edited; announce the index to operators' tools."""
        from ingest.dead_letters import replay
        from messages_app.records import MESSAGES
        from operations.audit import checks
        from search import health
        from search.backlog import record

        MESSAGES.subscribers.append(record)
        checks.register(checks.Check("index", _index_equals_table))
        replay.register_replay("search", _index_anew)
        health.register()


def _index_equals_table(walk: "Walk") -> "Iterator[Finding]":
    # The client of Elasticsearch is slow to import, and hardly any process audits.
    from search.auditing import index_equals_table

    return index_equals_table(walk)


def _index_anew(letter: "DeadLetter") -> None:
    from search.indexing import index_again

    index_again(letter)
