"""The Django application of the project itself, for its commands."""

from django.apps import AppConfig


class ChatsystemConfig(AppConfig):
    """The project, with the commands `serve` and `createsuperuser`."""

    name = "chatsystem"
