"""The Django project: settings, environment, URLs, ASGI, Celery, checks at the start."""

from chatsystem.celery import app as celery_app

__all__ = ["celery_app"]
