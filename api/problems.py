"""The error format of the whole API: RFC 9457 problem documents, built here and nowhere else.

Domain errors get their status, DRF's and Django's their document. A service that fails is answered
503, whatever its error, unless the error is a defect of this program or of these values: that is
logged with its traceback and answered as a bare 500, like everything else that nobody expected.
"""

import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
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
    Invalid,
    Malformed,
    NotFound,
    Stale,
    TooLarge,
    Unavailable,
)
from infra.ids import new_id
from infra.logs import Event, get_logger
from infra.request_context import current_request_id
from infra.service_errors import Meaning, meaning_of
from infra.timeouts import DATABASE_RETRY_AFTER_SECONDS
from ingest.idempotency.keys import KeyReused

logger = get_logger(__name__)

CONTENT_TYPE = "application/problem+json"

#: Also of the errors that are derived from these.
STATUS_OF: Mapping[type[DomainError], int] = {
    NotFound: 404,
    Conflict: 409,
    KeyReused: 422,
    Invalid: 400,
    Malformed: 400,
    Stale: 412,
    TooLarge: 413,
    Unavailable: 503,
}


def bare_problem(status: int, detail: str) -> bytes:
    """The same as the whole bytes of an answer, for what no request could be made of."""
    title, request_id = HTTPStatus(status).phrase, new_id()
    document = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": None,
        "request_id": request_id,
        "errors": [],
    }
    content = orjson.dumps(_encodable(document))
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
        case _ if _is_outage(error):
            return _service_problem(request, error)
        case SuspiciousOperation():
            return bad_request(request._request)
        case _:
            # DRF would let it through to a page in HTML; whoever listens for failures still hears.
            got_request_exception.send(sender=None, request=request._request)
            logger.error(Event.REQUEST_FAILED, path=request.path, exc_info=error)
            return problem(request, 500)


def _is_outage(error: BaseException | None) -> bool:
    """Whether a service failed in a way that passes, or that nobody knows."""
    return error is not None and meaning_of(error) in (Meaning.NOT_DONE, Meaning.OPEN)


def _service_problem(request: HttpRequest | Request, error: BaseException | None) -> HttpResponse:
    headers = {"Retry-After": str(DATABASE_RETRY_AFTER_SECONDS)}
    if isinstance(error, DatabaseError):
        logger.error(Event.DATABASE_FAILED, error=error)
        note_failure(error)
        return problem(request, 503, "The database is away.", headers=headers)
    logger.error(Event.SERVICE_FAILED, error=error)
    return problem(request, 503, "A part of the service is away.", headers=headers)


def _unavailable_problem(request: HttpRequest, error: Unavailable) -> HttpResponse:
    headers = {"Retry-After": str(error.retry_after)}
    return problem(request, 503, error.detail, headers=headers)


def _domain_problem(request: Request, error: DomainError) -> HttpResponse:
    status = next((STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF), 0)
    if not status:
        logger.error(Event.REQUEST_FAILED, path=request.path, exc_info=error)
        return problem(request, 500)
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
    return _service_problem(request, error) if _is_outage(error) else problem(request, 500)
