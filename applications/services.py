"""What can be done to an application. Names come in clean (core.text)."""

from contextlib import suppress
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils import timezone
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from applications.identities import tell_redis
from applications.keys import hash_of, new_key
from applications.models import Application, OperatorKey
from applications.replacing import remove_with_key, replace_hash
from core.accept.submission import Repeatable
from core.errors import ApplicationNotFound, Conflict, NotFound
from core.idempotency.applications import claim_application, find_application
from core.transactions import in_transaction
from core.versions import Versions, change_row


class HasKey(Conflict):
    """A key was asked for as the first, and there is one."""

    def __init__(self, detail: str = "The application has a key already.") -> None:
        super().__init__(detail)


class OperatorKeyNotFound(NotFound):
    """No operator's key has this name."""

    def __init__(self) -> None:
        super().__init__("There is no key of this name.")


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


# A rival that claims the request first is found by the next attempt.
@retry(retry=retry_if_exception_type(IntegrityError), stop=stop_after_attempt(3), reraise=True)
def rotate_key_once(*, token: str, request: Repeatable) -> str | None:
    """The same, but for a repeat of the request, which gets none. Raises KeyReused too.

    The key and the request that made it are stored together, so of two at the same time one
    replaces the key, and the other leaves that one as it is.
    """
    key = new_key()
    try:
        if not replace_hash(
            Application.objects.filter(token=token), hash_of(key), _Rotation(token, request)
        ):
            raise ApplicationNotFound
    except _Repeated:
        request.is_repeat = True
        return None
    return key


class _Repeated(Exception):
    """The request was done before."""


@dataclass(frozen=True)
class _Rotation:
    """A key is replaced once for a request."""

    token: str
    request: Repeatable

    def refuse_repeat(self) -> None:
        """Raises _Repeated, KeyReused."""
        if find_application(self.request.key):
            raise _Repeated

    def claim(self) -> None:
        """Raises IntegrityError."""
        claim_application(self.request.key, self.token, timezone.now())


def first_key(*, token: str) -> str:
    """A key where there was none. Raises ApplicationNotFound, HasKey."""
    key = new_key()
    applications = Application.objects.filter(token=token)
    if not replace_hash(applications.filter(key_hash=None), hash_of(key)):
        raise HasKey if applications.exists() else ApplicationNotFound
    return key


def make_operator_key(*, name: str) -> str:
    """A key that opens every application, in place of the one that this name had."""
    with suppress(OperatorKeyNotFound):
        return rotate_operator_key(name=name)
    with suppress(HasKey):
        return first_operator_key(name=name)
    return rotate_operator_key(name=name)


def first_operator_key(*, name: str) -> str:
    """A key that opens every application. Raises HasKey where this name has one."""
    key = new_key()
    key_hash = hash_of(key)
    try:
        with transaction.atomic():
            OperatorKey.objects.create(name=name, key_hash=key_hash)
    except IntegrityError:
        raise HasKey("There is a key of this name, which can be replaced.") from None
    tell_redis(key_hash)
    return key


def rotate_operator_key(*, name: str) -> str:
    """A key in place of the one that this name has. Raises OperatorKeyNotFound."""
    key = new_key()
    if not replace_hash(OperatorKey.objects.filter(name=name), hash_of(key)):
        raise OperatorKeyNotFound
    return key


def revoke_operator_key(*, name: str) -> bool:
    """The key of this name opens nothing any more, at once; false where there is none."""
    return remove_with_key(OperatorKey.objects.filter(name=name))
