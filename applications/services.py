"""What can be done to an application. Names come in clean (core.text)."""

from django.db.models import F
from django.utils import timezone

from applications.identities import tell_redis
from applications.keys import hash_of, new_key
from applications.models import Application, OperatorKey
from applications.replacing import replace_hash
from core.errors import ApplicationNotFound, DomainError
from core.transactions import in_transaction


class HasKey(DomainError):
    """A key was asked for as the first, and there is one."""

    def __init__(self) -> None:
        super().__init__("The application has a key already.")


def create_application(*, name: str, key: str | None = None) -> Application:
    """A new application with a token of its own, and with this key if it is to have one now."""
    now = timezone.now()
    key_hash = hash_of(key) if key else None
    application = Application.objects.create(
        name=name, key_hash=key_hash, created_at=now, updated_at=now
    )
    if key_hash:
        tell_redis(key_hash)
    return application


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


def rotate_key(*, token: str) -> str:
    """A new key of the application; the old one stops at once. Raises ApplicationNotFound."""
    key = new_key()
    if not replace_hash(Application.objects.filter(token=token), hash_of(key)):
        raise ApplicationNotFound
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
