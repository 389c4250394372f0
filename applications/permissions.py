"""Permissions of the API: an application's key opens its own address, an operator's key everything.

A member of the staff, by the admin's session, needs the permissions that the admin's pages ask for.

An application that is another's is answered as one that does not exist, before anything is looked
up or read of the request, so that nothing tells the two apart.
"""

from secrets import compare_digest
from typing import TYPE_CHECKING, cast

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from applications.identities import Identity
from applications.staff import may
from core.errors import ApplicationNotFound

if TYPE_CHECKING:  # DRF's views load this module
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
