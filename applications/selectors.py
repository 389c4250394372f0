"""Reads of applications."""

from django.db.models import QuerySet

from applications.errors import ApplicationNotFound
from applications.models import Application


def get_application(*, token: str) -> Application:
    """The application of this token. Raises ApplicationNotFound."""
    try:
        return Application.objects.get(token=token)
    except Application.DoesNotExist:
        raise ApplicationNotFound from None


def require_application(*, token: str) -> None:
    """Raises ApplicationNotFound if there is no application with this token."""
    if not Application.objects.filter(token=token).exists():
        raise ApplicationNotFound


def all_applications() -> "QuerySet[Application]":
    """Every application."""
    return Application.objects.all()
