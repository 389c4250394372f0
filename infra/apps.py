"""The Django application."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class InfraConfig(AppConfig):
    """The table of background jobs."""

    name = "infra"
    verbose_name = "Infrastructure"

    def ready(self) -> None:
        """Watch the connections to the database."""
        from infra.database import end_silent_connections

        connection_created.connect(end_silent_connections)
