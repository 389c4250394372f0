"""The Django application of retention."""

from django.apps import AppConfig


class RetentionConfig(AppConfig):
    """The purge of old messages."""

    name = "retention"
