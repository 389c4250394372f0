"""Django's view of this package."""

from django.apps import AppConfig


class SearchConfig(AppConfig):
    """Search over messages."""

    name = "search"
