"""The Django application of search."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.conf import settings

if TYPE_CHECKING:
    from ingest.dead_letters.models import DeadLetter
    from operations.audit.checks import Cursor, Finding


class SearchConfig(AppConfig):
    """Search over messages."""

    name = "search"

    def ready(self) -> None:
        """Subscribe to stored and edited messages; register the audit, the replay and health."""
        from ingest.dead_letters import replay
        from messages_app.records import MESSAGES
        from operations.audit import checks
        from search import health
        from search.backlog import record

        if settings.ENVIRONMENT.elasticsearch_url:
            MESSAGES.subscribers.append(record)
        checks.register(checks.Check("index", _audit_index))
        replay.register_replay("search", _index_again)
        health.register()


# These import late: the client of Elasticsearch is slow to import, and few processes need it.


def _audit_index(cursor: "Cursor") -> "Iterator[Finding]":
    from search.index_check import audit_index

    return audit_index(cursor)


def _index_again(letter: "DeadLetter") -> None:
    from search.indexer import index_again

    index_again(letter)
