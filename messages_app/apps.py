"""The Django application."""

from django.apps import AppConfig


class MessagesAppConfig(AppConfig):
    """Messages, and how a chat counts them."""

    name = "messages_app"
    verbose_name = "Messages"

    def ready(self) -> None:
        """Announce the kind of row, and messages_count to the count job."""
        from chats.models import Chat
        from ingest import records
        from messages_app.models import Message
        from messages_app.records import MESSAGES
        from operations.counts import Counted, register_count

        key = {"application_token": "application_token", "chat_number": "chat_number"}
        records.register_record_type(MESSAGES)
        register_count(Counted(parent=Chat, field="messages_count", child=Message, key=key))
