"""An application that is loaded last and takes the log of events away."""

from django.apps import AppConfig


class WithoutEvents(AppConfig):
    """Nobody writes events."""

    name = "bench.rivals.without_events"

    def ready(self) -> None:
        """Undo the subscription of the log."""
        from events.log import record
        from ingest.row_changes import subscribers

        subscribers.remove(record)
