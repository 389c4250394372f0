"""The Django application of conversations."""

from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    """Import, export, and the tables of imports."""

    name = "conversations"
