"""Authentication and permission of the API: keys, and the admin's session of staff.

An application's key opens the addresses of that application, an operator's key all addresses. A
member of the staff with the admin's session needs the permissions that the admin asks for. A key of
another application gets the answer for one that does not exist, before anything else is read, so
nothing tells the two apart. Where keys are not required, keys and sessions are ignored.

A key is 256 random bits, shown once. Only its SHA-256 is stored: nobody guesses 256 bits, so a fast
hash without salt is enough, and an index finds it. Each process remembers whose key it is until the
present second ends. So a busy key costs little, guessing costs little, and a replaced key opens
nothing a second later.
"""

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from copy import copy
from hashlib import sha256
from importlib import import_module
from secrets import compare_digest, token_hex
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.contrib.auth import get_permission_codename, get_user
from django.contrib.auth.models import User
from django.db.models import Model
from django.http import QueryDict
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from applications.key_holders import Identity, KeyHash, KeysUnavailable, find_holder
from applications.models import ApplicationNotFound
from infra.redis_client import redis_is_configured
from operations.admin.sessions import extend_session

if TYPE_CHECKING:
    from rest_framework.views import APIView

KEY_BYTES = 32


def new_key() -> str:
    """64 hexadecimal digits."""
    return token_hex(KEY_BYTES)


def hash_of(key: str) -> KeyHash:
    """The stored form of a key: its SHA-256, 64 hexadecimal digits."""
    return KeyHash(sha256(key.encode()).hexdigest())


REMEMBERED_SECONDS = 1
#: Keys remembered in a second; any more are looked up each time.
MAX_REMEMBERED = 10_000


def identify(key_hash: KeyHash) -> Identity | None:
    """The holder of the key with this hash; None if there is none. Raises KeysUnavailable."""
    learnt = _learnt_now()
    if key_hash in learnt:
        return learnt[key_hash]
    identity = find_holder(key_hash)
    if len(learnt) < MAX_REMEMBERED:
        learnt[key_hash] = identity
    return identity


def forget_identities() -> None:
    """Forget all holders after a key was replaced; other processes do within a second."""
    global _learnt  # noqa: PLW0603 - see there
    _learnt = (0, {})


def remember_in_redis(key_hash: KeyHash) -> None:
    """Let Redis learn a new key, so that it works even if the database fails right now."""
    if redis_is_configured():
        with suppress(KeysUnavailable):
            identify(key_hash)


#: The second of the clock, and the holders that were learnt in it.
_learnt: tuple[int, dict[KeyHash, Identity | None]] = (0, {})


def _learnt_now() -> dict[KeyHash, Identity | None]:
    """The identities found in this second. Call it before a lookup, whose result belongs there."""
    global _learnt  # noqa: PLW0603 - one memory for the whole process
    second, learnt = int(time.monotonic() / REMEMBERED_SECONDS), _learnt
    if learnt[0] != second:
        _learnt = learnt = (second, {})
    return learnt[1]


#: The permission to change includes the permission to view, as in Django's ModelAdmin.
_ENOUGH = {"view": ("view", "change")}


def may(user: User, view: "APIView", method: str) -> bool:
    """Whether the user has the permissions that the admin requires for the same action."""
    action = view.actions.get(method)  # type: ignore[attr-defined] # api.views.ApiView
    if action is None:
        return True  # OPTIONS, and methods that get 405
    models: Sequence[type[Model]] = view.models  # type: ignore[attr-defined] # likewise
    return bool(models) and all(_may(user, action, model) for model in models)


def _may(user: User, action: str, model: type[Model]) -> bool:
    options = model._meta
    return any(
        user.has_perm(f"{options.app_label}.{get_permission_codename(one, options)}")
        for one in _ENOUGH.get(action, (action,))
    )


class KeyOpens(BasePermission):
    """Whether the key opens this address; addresses without a token are for operators."""

    message = "This needs an operator's key, or a user with the permission."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """False means 401 for a request without a key, else 403. Raises ApplicationNotFound."""
        identity = cast("Identity | None", request.user)
        if identity is None:
            return False
        if identity.user is not None:
            return may(identity.user, view, str(request.method))
        if identity.application_token is None:
            return True
        token = view.kwargs.get("token")
        if token is None:
            return False
        if not compare_digest(identity.application_token, token):
            raise ApplicationNotFound
        return True


SCHEME = "Bearer"
_CREDENTIALS = re.compile(rf"(?i:{SCHEME}) +([0-9a-f]{{64}})")


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>`; the request's `auth` is the hash of the key."""

    def authenticate(self, request: Request) -> tuple[Identity, KeyHash] | None:
        """None without the header. Raises AuthenticationFailed, KeysUnavailable."""
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        credentials = _CREDENTIALS.fullmatch(header)
        if credentials:
            key_hash = hash_of(credentials[1])
            identity = identify(key_hash)
            if identity:
                return identity, key_hash
        raise AuthenticationFailed("The key is not valid.")

    def authenticate_header(self, request: Request) -> str:
        """The scheme that a 401 asks for."""
        return SCHEME


class StaffSession(SessionAuthentication):
    """The admin's session of a member of the staff, for requests without a key.

    The API's handler loads no sessions, so this loads one if there is a cookie.
    """

    def authenticate(self, request: Request) -> tuple[Identity, None] | None:
        """None without a session of staff. Raises PermissionDenied for a forged request."""
        cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        if not cookie:
            return None
        # The CSRF token must come as a header: looking for it in a form would read the body.
        bodiless = copy(request._request)
        bodiless.POST = QueryDict()
        bodiless.session = import_module(settings.SESSION_ENGINE).SessionStore(cookie)
        user = cast("User", get_user(bodiless))
        if not user.is_staff:
            return None
        self.enforce_csrf(bodiless)  # type: ignore[arg-type] # Django's kind is what it reads
        extend_session(bodiless.session)
        return Identity(None, user), None
