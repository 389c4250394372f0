"""The Django application of search."""

from collections.abc import Callable
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import import_string


class SearchConfig(AppConfig):
    """Search over messages."""

    name = "search"

    def ready(self) -> None:
        """Subscribe to changes of rows; register the audit, the replay and health."""
        from ingest.dead_letters import replay
        from ingest.row_changes import subscribers
        from operations.audit import checks
        from search import health
        from search.backlog import record_changes

        if settings.ENVIRONMENT.elasticsearch_url:
            subscribers.append(record_changes)
        checks.register(checks.Check("index", _late("search.index_check.audit_index")))
        replay.register_replay("search", _late("search.indexer.index_again"))
        health.register()


def _late(name: str) -> Callable[..., Any]:
    """The function of this name, imported by its first call.

    The client of Elasticsearch is slow to import, and few processes need it.
    """

    def call(*args: Any) -> Any:
        return import_string(name)(*args)

    return call
