"""Django's view of the project itself: its commands and its admin's title."""

from django.apps import AppConfig


class ChatsystemConfig(AppConfig):
    """The commands `serve` and what else concerns the whole."""

    name = "chatsystem"
