"""The error format of the whole API: RFC 9457 problem documents, built here and nowhere else.

Domain errors get their status, DRF's and Django's their document; what nobody expected is logged
with its traceback and answered as a bare 500.
"""

import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from django.core.exceptions import SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from core.errors import (
    DomainError,
    FieldError,
    Invalid,
    KeyReused,
    Malformed,
    NotFound,
    Stale,
    TooLarge,
    Unavailable,
)
from core.logs import Event, get_logger
from core.request import current_request_id
from core.timeouts import DATABASE_RETRY_AFTER_SECONDS

logger = get_logger(__name__)

CONTENT_TYPE = "application/problem+json"

_STATUS_OF: Mapping[type[DomainError], int] = {
    NotFound: 404,
    KeyReused: 422,
    Invalid: 400,
    Malformed: 400,
    Stale: 412,
    TooLarge: 413,
    Unavailable: 503,
}


def problem(
    request: HttpRequest | Request,
    status: int,
    detail: str = "",
    *,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """An answer that says what went wrong, for programs and for people."""
    title = HTTPStatus(status).phrase
    document: dict[str, object] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail or f"{title}.",
        "instance": request.path,
        "request_id": current_request_id(),
        "errors": [vars(error) for error in errors],
    }
    content = orjson.dumps(_encodable(document))
    return HttpResponse(content, status=status, content_type=CONTENT_TYPE, headers=headers)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's hook: the answer to anything a view raised."""
    request: Request = context["request"]
    match error:
        case DomainError():
            return _domain_problem(request, error)
        case APIException():
            return _api_problem(request, error)
        case OperationalError() | InterfaceError():
            return _database_problem(request, error)
        case SuspiciousOperation():
            return bad_request(request._request)
        case _:
            # DRF would let it through to a page in HTML; whoever listens for failures still hears.
            got_request_exception.send(sender=None, request=request._request)
            logger.error(Event.REQUEST_FAILED, path=request.path, exc_info=error)
            return problem(request, 500)


def _database_problem(request: HttpRequest | Request, error: Exception) -> HttpResponse:
    logger.error(Event.DATABASE_FAILED, error=error)
    headers = {"Retry-After": str(DATABASE_RETRY_AFTER_SECONDS)}
    return problem(request, 503, "The database is away.", headers=headers)


def _unavailable_problem(request: HttpRequest, error: Unavailable) -> HttpResponse:
    headers = {"Retry-After": str(error.retry_after)}
    return problem(request, 503, error.detail, headers=headers)


def _domain_problem(request: Request, error: DomainError) -> HttpResponse:
    status = next(status for kind, status in _STATUS_OF.items() if isinstance(error, kind))
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, Unavailable) else {}
    errors = error.errors if isinstance(error, Invalid) else ()
    return problem(request, status, error.detail, errors=errors, headers=headers)


def _api_problem(request: Request, error: APIException) -> HttpResponse:
    headers = {}
    if scheme := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = scheme
    if retry_after := getattr(error, "wait", None):
        headers["Retry-After"] = str(retry_after)  # whole seconds, rounded up by DRF
    return problem(request, error.status_code, str(error.detail), headers=headers)


def _encodable(value: Any) -> Any:
    """A request's path may hold what is no text in UTF-8; an error must not fail on it."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _encodable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    return value


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler400: a host that is not ours, a request that cannot be read."""
    return problem(request, 400, "The request cannot be understood.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler403."""
    return problem(request, 403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form of the admin without its token."""
    return problem(request, 403, f"CSRF verification failed: {reason}")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Any address that is no route's; also Django's handler404."""
    return problem(request, 404, "There is nothing at this address.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: something failed in a page of the admin, or outside of a view."""
    error = sys.exception()  # the one that Django is handling, which it does not hand over
    if isinstance(error, Unavailable):
        return _unavailable_problem(request, error)
    if isinstance(error, OperationalError | InterfaceError):
        return _database_problem(request, error)
    return problem(request, 500)
