"""Django's view of this package."""

from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    """Import and export, and the tables of imports."""

    name = "conversations"
