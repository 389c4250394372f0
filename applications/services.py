"""Replacing or revoking a key: the old one opens nothing more, also while the database is away.

Redis is told before the database is: if the latter fails, the old key is merely refused while the
database is away. Where Redis cannot be told, what it remembers of keys must not count, so a new
epoch begins in the same transaction.

What can be done to an application. Names come in clean (ingest.text_rules).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from applications.errors import ApplicationNotFound
from applications.idempotency import claim_application, find_application
from applications.identities import (
    KeyHash,
    forget_identities,
    hash_of,
    new_key,
    remember_in_redis,
    revoke_in_redis,
)
from applications.models import Application, OperatorKey
from infra.database import in_transaction
from infra.errors import Conflict, NotFound
from infra.redis_client import RedisUnavailable, redis_is_configured
from infra.versions import Versions, update_if_version
from ingest.idempotency.keys import IdempotentRequest
from ingest.numbering.authority import begin_epoch, lock_authority, read_authority
from ingest.numbering.models import Source


class OneTimeChange(Protocol):
    """Something that is to be done once, however often it is asked for."""

    def refuse_repeat(self) -> None:
        """Raise an error if it was done before."""

    def claim(self) -> None:
        """Remember, in this transaction, that it is done. Raises IntegrityError if it was."""


def replace_hash(rows: "QuerySet[Any]", new: KeyHash, once: OneTimeChange | None = None) -> bool:
    """Give the one row another `key_hash`; false where there is no row.

    Raises OperationalError and the errors of `once`; the row is unchanged then.
    """
    if not _replace_key(rows, lambda row: row.update(key_hash=new), once):
        return False
    remember_in_redis(new)
    return True


def remove_with_key(rows: "QuerySet[Any]") -> bool:
    """Delete the one row; false where there is none. Raises OperationalError."""
    return _replace_key(rows, lambda row: row.delete()[0])


def _replace_key(
    rows: "QuerySet[Any]",
    change: "Callable[[QuerySet[Any]], int]",
    once: OneTimeChange | None = None,
) -> bool:
    """Make the change by which the key of the one row is good no more."""
    while (row := rows.values_list("key_hash").first()) is not None:
        [old] = row
        # Checked after the key was read: otherwise this could end the key that a rival has made.
        if once:
            once.refuse_repeat()
        if in_transaction(
            partial(_apply_change, rows, old, change, once, redis_knows=_revoke_in_redis(old))
        ):
            forget_identities()
            return True
        # Somebody else was quicker: theirs is the one to end now.
    return False


def _revoke_in_redis(old: KeyHash | None) -> bool:
    """Whether Redis, if there is one, says of the old key that it opens nothing."""
    if old is None or not redis_is_configured():
        return True
    try:
        revoke_in_redis(old)
    except RedisUnavailable:
        read_authority()  # makes the row that is locked next
        return False
    return True


def _apply_change(
    rows: "QuerySet[Any]",
    old: KeyHash | None,
    change: "Callable[[QuerySet[Any]], int]",
    once: OneTimeChange | None,
    *,
    redis_knows: bool,
) -> bool:
    if not redis_knows:
        authority = lock_authority()
        begin_epoch(authority, Source(authority.source), "a key was replaced while Redis was away")
    if not change(rows.filter(key_hash=old)):
        return False
    if once:
        once.claim()
    return True


class HasKey(Conflict):
    """A key was asked for as the first, and there is one."""

    def __init__(self, detail: str = "The application has a key already.") -> None:
        super().__init__(detail)


class OperatorKeyNotFound(NotFound):
    """No operator's key has this name."""

    def __init__(self) -> None:
        super().__init__("There is no key of this name.")


def create_application(
    *, name: str, key: str | None = None, request: IdempotentRequest | None = None
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
        remember_in_redis(key_hash)
    return new


# A rival that does the same request at the same time wins by the key; then its work is found.
@retry(retry=retry_if_exception_type(IntegrityError), stop=stop_after_attempt(3), reraise=True)
def _create_once(new: Application, request: IdempotentRequest) -> Application:
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
        if not update_if_version(rows, expected, name=name):
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
def rotate_key_once(*, token: str, request: IdempotentRequest) -> str | None:
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
    request: IdempotentRequest

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
    remember_in_redis(key_hash)
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
