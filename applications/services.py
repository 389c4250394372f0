"""Reads and writes of applications and keys. Names are clean already (ingest.fields).

Replacing or revoking a key works at once, also while the database is unavailable. Redis learns it
before the database: if the database then fails, the old key is merely refused during outages. If
Redis cannot be updated, its entries must not count: a new epoch begins in that transaction.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from applications.authentication import forget_identities, hash_of, new_key, remember_in_redis
from applications.key_holders import KeyHash, revoke_in_redis
from applications.models import Application, ApplicationNotFound, OperatorKey, new_token
from infra.database import in_transaction
from infra.errors import Conflict, NotFound
from infra.redis_client import RedisUnavailable, redis_is_configured, shard_of
from infra.versions import Versions, update_if_version
from ingest.idempotency import IdempotentRequest, RequestKey
from ingest.idempotency.records import claim_request, find_request, repeat_after_rival
from ingest.models import IdempotencyKey, Source
from ingest.numbering.authority import begin_epoch, lock_authority, read_authority
from ingest.row_changes import Action, RowChange, announce

#: Such a request belongs to no application.
_NO_APPLICATION = ""


def find_application(key: RequestKey) -> IdempotencyKey | None:
    """The first request with this key, if there was one: its application. Raises KeyReused."""
    return find_request(_NO_APPLICATION, key)


def claim_application(key: RequestKey, token: str, accepted_at: datetime) -> None:
    """Remember it, in the caller's transaction. Raises IntegrityError if a rival has."""
    claim_request(_NO_APPLICATION, key, token, accepted_at)


class _Repeated(Exception):
    """The request was made before."""


def replace_hash(
    rows: "QuerySet[Any]", new: KeyHash, once: IdempotentRequest | None = None
) -> bool:
    """Give the row another `key_hash`; false if there is no row.

    `once` is the request for another key of an application. Raises OperationalError, and _Repeated,
    KeyReused or IntegrityError for a repeat of it; the row is then unchanged.
    """
    if not _replace_key(rows, lambda row: row.update(key_hash=new), once):
        return False
    remember_in_redis(new)
    return True


def remove_with_key(rows: "QuerySet[Any]") -> bool:
    """Delete the row; false if there is none. Raises OperationalError."""
    return _replace_key(rows, lambda row: row.delete()[0])


def _replace_key(
    rows: "QuerySet[Any]",
    change: "Callable[[QuerySet[Any]], int]",
    once: IdempotentRequest | None = None,
) -> bool:
    """Make the change that ends the key of the row."""
    while (row := rows.values_list("key_hash").first()) is not None:
        [old] = row
        # Check after reading the key: otherwise this could end a key that a rival has just made.
        if once and find_application(once.key):
            raise _Repeated
        if in_transaction(
            partial(_apply_change, rows, old, change, once, redis_knows=_revoke_in_redis(old))
        ):
            forget_identities()
            return True
        # A rival was faster: end its key now.
    return False


def _revoke_in_redis(old: KeyHash | None) -> bool:
    """Revoke the old key in Redis; whether that worked, or is not needed."""
    if old is None or not redis_is_configured():
        return True
    try:
        revoke_in_redis(old)
    except RedisUnavailable:
        read_authority(shard_of(old))  # makes the row that is locked next
        return False
    return True


def _apply_change(
    rows: "QuerySet[Any]",
    old: KeyHash | None,
    change: "Callable[[QuerySet[Any]], int]",
    once: IdempotentRequest | None,
    *,
    redis_knows: bool,
) -> bool:
    if not redis_knows:
        authority = lock_authority(shard_of(old or ""))
        begin_epoch(authority, Source(authority.source), "a key was replaced while Redis was away")
    if not change(rows.filter(key_hash=old)):
        return False
    if once:
        claim_application(once.key, rows.get().token, timezone.now())
    return True


class HasKey(Conflict):
    """A first key was requested, and there is one already."""

    detail = "The application has a key already."


class OperatorKeyNotFound(NotFound):
    """No operator key has this name."""

    detail = "There is no key of this name."


def get_application(*, token: str) -> Application:
    """The application of this token. Raises ApplicationNotFound."""
    application = Application.objects.filter(token=token).first()
    if application is None:
        raise ApplicationNotFound
    return application


def create_application(
    *,
    name: str,
    key: str | None = None,
    request: IdempotentRequest | None = None,
    token: str | None = None,
) -> Application:
    """A new application with its own token or the given one, and with this key if one is given.

    A repeated request gets the application of the first one. Raises KeyReused.
    """
    now = timezone.now()
    key_hash = hash_of(key) if key else None
    new = Application(
        token=token or new_token(), name=name, key_hash=key_hash, created_at=now, updated_at=now
    )
    if request is None:
        new.save(force_insert=True)
    else:
        new = _create_once(new, request)
    if key_hash and not (request and request.is_repeat):
        remember_in_redis(key_hash)
    return new


def _create_once(new: Application, request: IdempotentRequest) -> Application:
    """The new application, or that of the first such request. Raises KeyReused.

    A request claims its key, with the token, before it makes the application: on a sharded database
    the two are on different shards. If it fails in between, its repeat makes the application.
    """
    new.token, new.created_at = _claim_or_find(new, request.key)
    new.updated_at = new.created_at
    if not Application.objects.filter(token=new.token).exists():
        with suppress(IntegrityError):  # a rival made it just now
            in_transaction(partial(new.save, force_insert=True))
            return new
    request.is_repeat = True
    # The answer of the first request, even if the application was renamed since.
    return new


@repeat_after_rival
def _claim_or_find(new: Application, key: RequestKey) -> tuple[str, datetime]:
    """The token and the time of the first request with this key, which may be this one."""

    def claim() -> tuple[str, datetime]:
        first = find_application(key)
        if first:
            return first.token, first.accepted_at
        claim_application(key, new.token, new.created_at)
        return new.token, new.created_at

    return in_transaction(claim)


def rename_application(*, token: str, name: str, expected: Versions | None = None) -> Application:
    """The application under its new name. Raises ApplicationNotFound, Stale."""

    def rename() -> Application:
        rows = Application.objects.filter(token=token)
        if not update_if_version(rows, expected, name=name):
            raise ApplicationNotFound
        application = rows.get()
        key = application.key
        table = Application._meta.db_table
        announce(RowChange(table, Action.UPDATED, [key], {key: application.version}))
        return application

    return in_transaction(rename)


def rotate_key(*, token: str) -> str:
    """A new key for the application; the old one stops at once. Raises ApplicationNotFound."""
    key = new_key()
    if not replace_hash(Application.objects.filter(token=token), hash_of(key)):
        raise ApplicationNotFound
    return key


@repeat_after_rival
def rotate_key_once(*, token: str, request: IdempotentRequest) -> str | None:
    """Like `rotate_key`, once for an idempotent request: a repeat gets None. Raises KeyReused too.

    The new key and its request are stored together. So of two equal requests at the same time, one
    replaces the key and the other leaves it.
    """
    key = new_key()
    try:
        if not replace_hash(Application.objects.filter(token=token), hash_of(key), request):
            raise ApplicationNotFound
    except _Repeated:
        request.is_repeat = True
        return None
    return key


def first_key(*, token: str) -> str:
    """The first key of the application. Raises ApplicationNotFound, HasKey."""
    key = new_key()
    applications = Application.objects.filter(token=token)
    if not replace_hash(applications.filter(key_hash=None), hash_of(key)):
        raise HasKey if applications.exists() else ApplicationNotFound
    return key


def make_operator_key(*, name: str) -> str:
    """A key that opens every application; it replaces the one of this name, if any."""
    with suppress(OperatorKeyNotFound):
        return rotate_operator_key(name=name)
    with suppress(HasKey):
        return first_operator_key(name=name)
    return rotate_operator_key(name=name)


def first_operator_key(*, name: str) -> str:
    """A key that opens every application. Raises HasKey if this name has one."""
    key = new_key()
    key_hash = hash_of(key)
    try:
        with transaction.atomic():
            OperatorKey.objects.create(name=name, key_hash=key_hash)
    except IntegrityError:
        raise HasKey("There is a key of this name already; replace it instead.") from None
    remember_in_redis(key_hash)
    return key


def rotate_operator_key(*, name: str) -> str:
    """A new key for this name. Raises OperatorKeyNotFound."""
    key = new_key()
    if not replace_hash(OperatorKey.objects.filter(name=name), hash_of(key)):
        raise OperatorKeyNotFound
    return key


def revoke_operator_key(*, name: str) -> bool:
    """Revoke the key of this name at once; false if there is none."""
    return remove_with_key(OperatorKey.objects.filter(name=name))
