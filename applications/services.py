"""What can be done to an application. Names come in clean (core.text)."""

from django.db import IntegrityError
from django.utils import timezone
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from applications.models import Application
from core.accept.submission import Repeatable
from core.errors import ApplicationNotFound
from core.idempotency.applications import claim_application, find_application
from core.transactions import in_transaction
from core.versions import Versions, change_row


def create_application(*, name: str, request: Repeatable | None = None) -> Application:
    """A new application with a token of its own; the same again for a repeat of the request.

    Raises KeyReused.
    """
    now = timezone.now()
    new = Application(name=name, created_at=now, updated_at=now)
    if request is None:
        new.save(force_insert=True)
        return new
    return _create_once(new, request)


# A rival that does the same request at the same time wins by the key; then its work is found.
@retry(retry=retry_if_exception_type(IntegrityError), stop=stop_after_attempt(3), reraise=True)
def _create_once(new: Application, request: Repeatable) -> Application:
    def create() -> Application:
        first = find_application(request.key)
        if first is None:
            new.save(force_insert=True)
            claim_application(request.key, new.token, new.created_at)
            return new
        request.is_repeat = True
        # As it was answered then, whatever it is called by now.
        return Application(
            token=first.token,
            name=new.name,
            created_at=first.accepted_at,
            updated_at=first.accepted_at,
        )

    return in_transaction(create)


def rename_application(*, token: str, name: str, expected: Versions | None = None) -> Application:
    """The application under its new name. Raises ApplicationNotFound, Stale."""

    def rename() -> Application:
        rows = Application.objects.filter(token=token)
        if not change_row(rows, expected, name=name):
            raise ApplicationNotFound
        return rows.get()

    return in_transaction(rename)
