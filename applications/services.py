"""What can be done to an application. Names come in clean (core.text)."""

from django.db.models import F
from django.utils import timezone

from applications.models import Application
from core.errors import ApplicationNotFound
from core.transactions import in_transaction


def create_application(*, name: str) -> Application:
    """A new application with a token of its own."""
    now = timezone.now()
    return Application.objects.create(name=name, created_at=now, updated_at=now)


def rename_application(*, token: str, name: str) -> Application:
    """The application under its new name. Raises ApplicationNotFound."""

    def rename() -> Application:
        renamed = Application.objects.filter(token=token).update(
            name=name, updated_at=timezone.now(), version=F("version") + 1
        )
        if not renamed:
            raise ApplicationNotFound
        return Application.objects.get(token=token)

    return in_transaction(rename)
