"""Django's view of this package."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """Audit, counts, health, metrics, dashboard, and the kit of all admin pages."""

    name = "operations"
