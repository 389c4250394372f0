"""What can be done to an application. Names come in clean (core.text)."""

from contextlib import suppress

from django.db import IntegrityError
from django.utils import timezone
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from applications.identities import tell_redis
from applications.keys import hash_of, new_key
from applications.models import Application, OperatorKey
from applications.replacing import remove_with_key, replace_hash
from core.accept.submission import Repeatable
from core.errors import ApplicationNotFound, DomainError
from core.idempotency.applications import claim_application, find_application
from core.transactions import in_transaction
from core.versions import Versions, change_row


class HasKey(DomainError):
    """A key was asked for as the first, and there is one."""

    def __init__(self) -> None:
        super().__init__("The application has a key already.")


def create_application(
    *, name: str, key: str | None = None, request: Repeatable | None = None
) -> Application:
    """A new application with a token of its own, and with this key if it is to have one now.

    The same again for a repeat of the request, whose key is that of the first. Raises KeyReused.
    """
    now = timezone.now()
    key_hash = hash_of(key) if key else None
    new = Application(name=name, key_hash=key_hash, created_at=now, updated_at=now)
    if request is None:
        new.save(force_insert=True)
    else:
        new = _create_once(new, request)
    if key_hash and not (request and request.is_repeat):
        tell_redis(key_hash)
    return new


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


def rotate_key(*, token: str) -> str:
    """A new key of the application; the old one stops at once. Raises ApplicationNotFound."""
    key = new_key()
    if not replace_hash(Application.objects.filter(token=token), hash_of(key)):
        raise ApplicationNotFound
    return key


def rotate_key_once(*, token: str, request: Repeatable) -> str | None:
    """The same, but for a repeat of the request, which gets none. Raises KeyReused too."""
    if find_application(request.key):
        request.is_repeat = True
        return None
    key = rotate_key(token=token)
    # Afterwards: who dies before has shown nobody the key, so the repeat may make another.
    with suppress(IntegrityError):
        claim_application(request.key, token, timezone.now())
    return key


def first_key(*, token: str) -> str:
    """A key where there was none. Raises ApplicationNotFound, HasKey."""
    key = new_key()
    applications = Application.objects.filter(token=token)
    if not replace_hash(applications.filter(key_hash=None), hash_of(key)):
        raise HasKey if applications.exists() else ApplicationNotFound
    return key


def make_operator_key(*, name: str) -> str:
    """A key that opens every application, in place of the one that this name had."""
    key = new_key()
    key_hash = hash_of(key)
    if not replace_hash(OperatorKey.objects.filter(name=name), key_hash):
        OperatorKey.objects.create(name=name, key_hash=key_hash)
        tell_redis(key_hash)
    return key


def revoke_operator_key(*, name: str) -> bool:
    """The key of this name opens nothing any more, at once; false where there is none."""
    return remove_with_key(OperatorKey.objects.filter(name=name))
