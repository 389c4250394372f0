"""The Django application of events."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    """The log of what happened in each application."""

    name = "events"

    def ready(self) -> None:
        """Subscribe to changes of rows; register the audit and the recovery."""
        from events.audit import CHECK
        from events.log import record
        from events.removal import restart_logs
        from ingest.row_changes import subscribers
        from operations import restore
        from operations.audit import checks

        subscribers.append(record)
        checks.register(CHECK)
        restore.register(restart_logs)
