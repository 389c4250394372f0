"""Django's view of this package."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """The tables of the background jobs."""

    name = "core"
    verbose_name = "Service"
