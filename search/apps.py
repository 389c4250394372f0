"""Django's view of this package."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from core.accept.models import DeadLetter
    from core.audit.checks import Walk
    from core.audit.findings import Finding


class SearchConfig(AppConfig):
    """Search over messages."""

    name = "search"

    def ready(self) -> None:
        """Follow the messages that are stored or edited; announce the index to operators' tools."""
        from core.accept import replaying
        from core.audit import checks
        from core.changes import follow
        from search.backlog import record

        follow("messages", record)
        checks.register(checks.Check("index", _index_equals_table))
        replaying.register("search", _index_anew)


def _index_equals_table(walk: "Walk") -> "Iterator[Finding]":
    # The client of Elasticsearch is slow to import, and hardly any process audits.
    from search.auditing import index_equals_table

    return index_equals_table(walk)


def _index_anew(letter: "DeadLetter") -> None:
    from search.refused import index_anew

    index_anew(letter)
