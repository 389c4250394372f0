"""The Django application."""

from django.apps import AppConfig


class ApplicationsConfig(AppConfig):
    """Applications and their names."""

    name = "applications"
