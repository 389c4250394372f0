"""The Django application."""

from django.apps import AppConfig


class MessagesAppConfig(AppConfig):
    """Messages, and how a chat counts them."""

    name = "messages_app"
    verbose_name = "Messages"

    def ready(self) -> None:
        """Announce the record type."""
        from ingest.records import register_record_type
        from messages_app.records import MESSAGES

        register_record_type(MESSAGES)
