"""The Django application."""

from django.apps import AppConfig


class IngestConfig(AppConfig):
    """The tables of numbering, idempotency keys, dead letters and the purge horizon."""

    name = "ingest"
    verbose_name = "Service"
