"""Django's view of this package."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from core.audit.checks import Walk
    from core.audit.findings import Finding


class SearchConfig(AppConfig):
    """Search over messages."""

    name = "search"

    def ready(self) -> None:
        """Follow every message that is stored or edited; announce what an audit has to check."""
        from core.audit.checks import Check, register
        from core.changes import follow
        from search.backlog import record

        follow("messages", record)
        register(Check("index", _index_equals_table))


def _index_equals_table(walk: "Walk") -> "Iterator[Finding]":
    # The client of Elasticsearch is slow to import, and hardly any process audits.
    from search.auditing import index_equals_table

    return index_equals_table(walk)
