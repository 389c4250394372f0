"""The project: settings, routes, Celery application, error format, health. It alone sees all."""

from chatsystem.celery import app as celery_app

__all__ = ["celery_app"]
