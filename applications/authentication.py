"""Permissions of the API: an application's key opens its own address, an operator's key everything.

A member of the staff, by the admin's session, needs the permissions that the admin's pages ask for.

An application that is another's is answered as one that does not exist, before anything is looked
up or read of the request, so that nothing tells the two apart.

Who sends a request: whoever has the key in it, or a member of the staff by the admin's session.

Where keys are not required nobody is asked, and a header that claims to be a key is ignored.
"""

import re
from copy import copy
from importlib import import_module
from secrets import compare_digest
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.http import QueryDict
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from applications.errors import ApplicationNotFound
from applications.identities import Identity, KeyHash, hash_of, identify
from applications.staff import may
from operations.admin.sessions import put_off_end

if TYPE_CHECKING:
    from rest_framework.views import APIView


class KeyOpens(BasePermission):
    """The key opens this address; one without a token in it is for operators."""

    message = "Only an operator with the permission may do this."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """False is 401 for a request without a key, else 403. Raises ApplicationNotFound."""
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
        header = request._request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        credentials = _CREDENTIALS.fullmatch(header)
        if credentials:
            key_hash = hash_of(credentials[1])
            identity = identify(key_hash)
            if identity:
                return identity, key_hash
        raise AuthenticationFailed("This is no valid key.")

    def authenticate_header(self, request: Request) -> str:
        """What a 401 says is wanted."""
        return SCHEME


class StaffSession(SessionAuthentication):
    """A member of the staff by the admin's login, for requests without a key.

    The API has no sessions (api.handler), so one is loaded here, where it is needed.
    """

    def authenticate(self, request: Request) -> tuple[Identity, None] | None:
        """None without a login of the staff. Raises PermissionDenied for a forged request."""
        cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        if not cookie:
            return None
        # The token must come as a header: looked for in a form, the body would be read for it.
        bodiless = copy(request._request)
        bodiless.POST = QueryDict()
        bodiless.session = import_module(settings.SESSION_ENGINE).SessionStore(cookie)
        user = cast("User", get_user(bodiless))
        if not user.is_staff:
            return None
        self.enforce_csrf(bodiless)  # type: ignore[arg-type] # Django's kind is what it reads
        put_off_end(bodiless.session)
        return Identity(None, user), None
