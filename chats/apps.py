"""The Django application."""

from django.apps import AppConfig


class ChatsConfig(AppConfig):
    """Chats, and how an application counts them."""

    name = "chats"

    def ready(self) -> None:
        """Announce the record type."""
        from chats.records import CHATS
        from ingest.records import register_record_type

        register_record_type(CHATS)
