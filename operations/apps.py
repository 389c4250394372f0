"""Django's view of this package."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """Audit, counts, health, dashboard, and what the admin pages share."""

    name = "operations"
