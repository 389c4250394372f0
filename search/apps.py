"""Django's view of this package."""

from django.apps import AppConfig


class SearchConfig(AppConfig):
    """Search over messages."""

    name = "search"

    def ready(self) -> None:
        """Follow every message that is stored or edited."""
        from core.changes import follow
        from search.backlog import record

        follow("messages", record)
