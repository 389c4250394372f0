"""Django's view of this package."""

from django.apps import AppConfig


class ChatsConfig(AppConfig):
    """Chats, and how an application counts them."""

    name = "chats"

    def ready(self) -> None:
        """Announce the kind of row, and chats_count to the count job."""
        from applications.models import Application
        from chats.accept import CHATS
        from chats.models import Chat
        from core import rows
        from core.counts import Counted, register

        key = {"token": "application_token"}
        rows.register(CHATS)
        register(Counted(parent=Application, field="chats_count", child=Chat, key=key))
