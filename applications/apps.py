"""Django's view of this package."""

from django.apps import AppConfig


class ApplicationsConfig(AppConfig):
    """Applications and their names."""

    name = "applications"
