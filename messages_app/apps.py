"""Django's view of this package."""

from django.apps import AppConfig


class MessagesAppConfig(AppConfig):
    """Messages, and how a chat counts them."""

    name = "messages_app"
    verbose_name = "Messages"

    def ready(self) -> None:
        """Announce the kind of row, and messages_count to the count job."""
        from chats.models import Chat
        from core import rows
        from core.counts import Counted, register
        from messages_app.accept import MESSAGES
        from messages_app.models import Message

        key = {"application_token": "application_token", "chat_number": "chat_number"}
        rows.register(MESSAGES)
        register(Counted(parent=Chat, field="messages_count", child=Message, key=key))
