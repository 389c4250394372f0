"""The Django application."""

from django.apps import AppConfig


class ChatsConfig(AppConfig):
    """Chats, and how an application counts them."""

    name = "chats"

    def ready(self) -> None:
        """Announce the kind of row, and chats_count to the count job."""
        from applications.models import Application
        from chats.models import Chat
        from chats.records import CHATS
        from ingest import records
        from operations.counts import Counted, register_count

        key = {"token": "application_token"}
        records.register_record_type(CHATS)
        register_count(Counted(parent=Application, field="chats_count", child=Chat, key=key))
