"""One id a request, in its answer (X-Request-ID), in its errors and in every line logged for it.

A client's own id is kept when it is short and visible ASCII, else one is made.
"""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from core.request import current
from core.uuids import new_id

HEADER = "X-Request-ID"
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=+/@-]{0,127}\Z")


class RequestIdMiddleware:
    """The outermost layer: sets the id before anything can fail, and the header on all answers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request under its id."""
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _SANE.match(given) else new_id()
        token = current.set(request_id)
        try:
            response = self._get_response(request)
            response[HEADER] = request_id
            return response
        finally:
            current.reset(token)
