"""What can be done to an application. Names come in clean (core.text)."""

from django.utils import timezone

from applications.models import Application
from core.errors import ApplicationNotFound
from core.transactions import in_transaction
from core.versions import Versions, change_row


def create_application(*, name: str) -> Application:
    """A new application with a token of its own."""
    now = timezone.now()
    return Application.objects.create(name=name, created_at=now, updated_at=now)


def rename_application(*, token: str, name: str, expected: Versions | None = None) -> Application:
    """The application under its new name. Raises ApplicationNotFound, Stale."""

    def rename() -> Application:
        rows = Application.objects.filter(token=token)
        if not change_row(rows, expected, name=name):
            raise ApplicationNotFound
        return rows.get()

    return in_transaction(rename)
