"""Problem documents (RFC 9457): the error format of the whole API, built here and nowhere else.

An error of a service is 503, unless its cause is a defect of this program or the values of the
request: that is logged with its traceback and answered 500, like any other unexpected error.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from django.core.exceptions import SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from infra.database import note_failure
from infra.errors import (
    Conflict,
    DomainError,
    FieldError,
    Gone,
    Invalid,
    Malformed,
    NotFound,
    Stale,
    TooLarge,
    Unavailable,
)
from infra.logs import Event, get_logger, request_id_var
from infra.service_errors import Meaning, meaning_of
from infra.timeouts import DATABASE_RETRY_AFTER_SECONDS
from ingest.idempotency import KeyReused

logger = get_logger(__name__)

CONTENT_TYPE = "application/problem+json"

#: The status of each error and of its subclasses.
STATUS_OF: Mapping[type[DomainError], int] = {
    NotFound: 404,
    Conflict: 409,
    Gone: 410,
    KeyReused: 422,
    Invalid: 400,
    Malformed: 400,
    Stale: 412,
    TooLarge: 413,
    Unavailable: 503,
}


def bare_problem(status: int, detail: str) -> bytes:
    """Return a whole response as bytes, for input that is no valid HTTP request."""
    title, request_id = HTTPStatus(status).phrase, uuid4().hex
    content = _document(status, detail, instance=None, request_id=request_id)
    retry = "Retry-After: 1\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {status} {title}\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {len(content)}\r\nCache-Control: no-store\r\n{retry}"
        f"X-Request-ID: {request_id}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content


def problem(
    request: HttpRequest | Request,
    status: int,
    detail: str = "",
    *,
    errors: Sequence[FieldError] = (),
    members: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Build a problem document, which explains the error to programs and to people.

    `members` are further ones of this kind of error.
    """
    content = _document(
        status,
        detail or f"{HTTPStatus(status).phrase}.",
        instance=request.path,
        request_id=request_id_var.get(),
        errors=errors,
        members=members,
    )
    return HttpResponse(content, status=status, content_type=CONTENT_TYPE, headers=headers)


def _document(
    status: int,
    detail: str,
    *,
    instance: str | None,
    request_id: str,
    errors: Sequence[FieldError] = (),
    members: Mapping[str, object] | None = None,
) -> bytes:
    """The problem document of RFC 9457, as JSON."""
    document: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
        "request_id": request_id,
        "errors": [vars(error) for error in errors],
        **(members or {}),
    }
    # A path may contain what UTF-8 cannot encode, and the error must be shown.
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's hook: build the response to any error of a view."""
    request: Request = context["request"]
    match error:
        case DomainError():
            return _domain_problem(request, error)
        case APIException():
            return _api_problem(request, error)
        case _ if _is_outage(error):
            return _service_problem(request, error)
        case SuspiciousOperation():
            return bad_request(context["view"].http_request)
        case _:
            # DRF would raise it, for a page in HTML. Receivers of Django's signal still get it.
            got_request_exception.send(sender=None, request=context["view"].http_request)
            logger.error(Event.REQUEST_FAILED, path=request.path, exc_info=error)
            return problem(request, 500)


def _is_outage(error: BaseException | None) -> bool:
    """Whether a service failed temporarily, or with an unknown outcome."""
    return error is not None and meaning_of(error) in (Meaning.NOT_DONE, Meaning.OPEN)


def _service_problem(request: HttpRequest | Request, error: BaseException | None) -> HttpResponse:
    headers = {"Retry-After": str(DATABASE_RETRY_AFTER_SECONDS)}
    if isinstance(error, DatabaseError):
        logger.error(Event.DATABASE_FAILED, error=error)
        note_failure(error)
        return problem(request, 503, "The database is unavailable.", headers=headers)
    logger.error(Event.SERVICE_FAILED, error=error)
    return problem(request, 503, "A part of the service is unavailable.", headers=headers)


def _domain_problem(request: HttpRequest | Request, error: DomainError) -> HttpResponse:
    status = next((STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF), 0)
    if not status:
        logger.error(Event.REQUEST_FAILED, path=request.path, exc_info=error)
        return problem(request, 500)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, Unavailable) else {}
    errors = error.errors if isinstance(error, Invalid) else ()
    members = error.members if isinstance(error, Gone) else None
    return problem(request, status, error.detail, errors=errors, members=members, headers=headers)


def _api_problem(request: Request, error: APIException) -> HttpResponse:
    headers = {}
    if scheme := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = scheme
    if retry_after := getattr(error, "wait", None):
        headers["Retry-After"] = str(retry_after)  # whole seconds, rounded up by DRF
    return problem(request, error.status_code, str(error.detail), headers=headers)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler400: a host outside ALLOWED_HOSTS, or a malformed request."""
    return problem(request, 400, "The request is malformed, or its Host is not allowed.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler403."""
    return problem(request, 403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW: a form of the admin without a valid token."""
    return problem(request, 403, f"CSRF verification failed: {reason}")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The fallback for unknown paths; also Django's handler404."""
    return problem(request, 404, "There is nothing at this address.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: an error in a page of the admin, or outside of a view."""
    error = sys.exception()  # the error that Django is handling; it is not passed as an argument
    if isinstance(error, Unavailable):
        return _domain_problem(request, error)
    return _service_problem(request, error) if _is_outage(error) else problem(request, 500)
