"""The Django application."""

from django.apps import AppConfig


class InfraConfig(AppConfig):
    """The table of background jobs."""

    name = "infra"
    verbose_name = "Infrastructure"
