"""One id for each request: in its answer (X-Request-ID), its errors and every log line about it.

A client's own id is kept if it is short and visible ASCII; otherwise one is made.
"""

import re
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponseBase

from infra.ids import new_id

#: Outside of a request there is none.
NO_REQUEST = "-"

request_id_var: ContextVar[str] = ContextVar("request_id", default=NO_REQUEST)


def current_request_id() -> str:
    """The id of the request this thread is answering, or NONE outside of one."""
    return request_id_var.get()


HEADER = "X-Request-ID"
_VALID_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=+/@-]{0,127}\Z")


class RequestIdMiddleware:
    """The outermost layer: sets the id before anything can fail, and the header on all answers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request under its id."""
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _VALID_ID.match(given) else new_id()
        token = request_id_var.set(request_id)
        try:
            response = self._get_response(request)
            response[HEADER] = request_id
            return response
        finally:
            request_id_var.reset(token)
