"""Django's view of this package."""

from django.apps import AppConfig


class RetentionConfig(AppConfig):
    """The purge of old messages."""

    name = "retention"
