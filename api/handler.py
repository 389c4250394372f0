"""From a request to its view and back: Django's handler for pages, a shorter one for the API.

Django's work around each request serves pages: sessions, forms, log-ins, static files, script
names, signals of requests. It would double the cost of a create.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from http import HTTPStatus
from random import getrandbits
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django.template.response import SimpleTemplateResponse
from django.urls import ResolverMatch, get_resolver
from django.utils.functional import cached_property
from django.utils.log import log_response
from django.utils.module_loading import import_string

from api.asgi import Executor, RawResponse, RequestPlan
from api.problems import problem
from api.request_metrics import count_request
from api.streaming import StreamResponse
from api.views import ApiView
from infra.logs import request_id_var

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: ApiHandler handles paths with these prefixes; Django's handler handles all others.
API, HEALTH, METRICS = "/api/", "/health/", "/metrics"
#: A form of the admin has one message at most, but names many rows of a list.
MAX_PAGE_REQUEST_BYTES = 1024 * 1024

REQUEST_ID_HEADER = "X-Request-ID"
VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=+/@-]{0,127}\Z")

CSP_HEADER = "Content-Security-Policy"
#: Of the admin and the API pages: all content comes from this site. The plots of the dashboard and
#: the API's pages set inline styles; inline scripts are not allowed.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data: blob:; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

#: At most this number of paths is cached with their views: those of busy chats recur.
_CACHED_PATHS = 2000
#: Bounds of the cache of allowed hosts. Clients use few hosts, but may spell them in many ways.
_CACHED_HOSTS, _HOST_LENGTH = 100, 255

#: A client's error, although it is a 5xx: it is not logged as the server's.
_NOT_IMPLEMENTED = HTTPStatus.NOT_IMPLEMENTED

_GetResponse = Callable[[HttpRequest], Any]


class RequestIdMiddleware:
    """Gives each request an id, which the response, errors and all its log lines show.

    A client's own id is kept if it is short and visible ASCII; otherwise a new one is made. This is
    the outermost middleware but for the metrics, so the id is set before anything can fail.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Handle the request with the id set."""
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if VALID_REQUEST_ID.match(given) else f"{getrandbits(128):032x}"
        token = request_id_var.set(request_id)
        try:
            response = self._get_response(request)
            response[REQUEST_ID_HEADER] = request_id
            return response
        finally:
            request_id_var.reset(token)


class ContentSecurityPolicy:
    """Adds the policy to all pages."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Handle the request, and add the policy."""
        response = self._get_response(request)
        response[CSP_HEADER] = CSP
        return response


class SiteHandler:
    """Handles all routes."""

    def __init__(self) -> None:
        self._pages, self._api = WSGIHandler(), ApiHandler()

    def plan(self, environ: "WSGIEnvironment") -> RequestPlan:
        """Return where the request runs, and the size limit of its body."""
        if _is_api(environ):
            return self._api.plan(environ)
        return RequestPlan(Executor.REQUEST_THREADS, MAX_PAGE_REQUEST_BYTES)

    def early_response(self, environ: "WSGIEnvironment") -> RawResponse | None:
        """Return the response that the head alone determines, or None if the body is needed."""
        if _is_api(environ):
            return self._api.early_response(environ)
        if int(environ.get("CONTENT_LENGTH") or 0) > MAX_PAGE_REQUEST_BYTES:
            detail = f"The request may have at most {MAX_PAGE_REQUEST_BYTES} bytes."
            return self.error_response(environ, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        return None

    def response(self, environ: "WSGIEnvironment") -> RawResponse:
        """Handle the request."""
        return self._api.response(environ) if _is_api(environ) else self._page(environ)

    def error_response(
        self, environ: "WSGIEnvironment", status: HTTPStatus, detail: str
    ) -> RawResponse:
        """Return a problem document without calling the view."""
        return self._api.error_response(environ, status, detail)

    def _page(self, environ: "WSGIEnvironment") -> RawResponse:
        started: list[tuple[str, list[tuple[str, str]]]] = []
        chunks: Iterable[bytes] = self._pages(environ, lambda *start: started.append(start[:2]))  # type: ignore[arg-type] # it returns nothing to write with
        try:
            content = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        line, headers = started[-1]
        status, encoded = int(line[:3]), _encoded(headers)
        # A response made outside of Django's CommonMiddleware has no Content-Length.
        is_framed = any(name.lower() == b"content-length" for name, _ in encoded)
        if not is_framed and status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            encoded.append((b"Content-Length", b"%d" % len(content)))
        return RawResponse(status, encoded, content)


def _is_api(environ: "WSGIEnvironment") -> bool:
    path: str = environ["PATH_INFO"]
    return path.startswith(API) or _is_operations(path)


def _is_operations(path: str) -> bool:
    return path.startswith(HEALTH) or path.rstrip("/") == METRICS


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


class ApiRequest(WSGIRequest):
    """WSGIRequest with scheme and host cached."""

    @cached_property
    def scheme(self) -> str | None:
        """The scheme of the client's request, http or https, behind a proxy too."""
        return super().scheme

    def get_host(self) -> str:
        """Return the host that the client named. Raises DisallowedHost."""
        return self._host

    @cached_property
    def _host(self) -> str:
        host = self.META.get("HTTP_HOST")
        if not host or len(host) > _HOST_LENGTH:
            return super().get_host()
        return _allowed_host(host, tuple(settings.ALLOWED_HOSTS))


@lru_cache(maxsize=_CACHED_HOSTS)
def _allowed_host(host: str, _allowed: tuple[str, ...]) -> str:
    """Return the host. Raises DisallowedHost, which is not cached."""
    request = HttpRequest()
    request.META = {"HTTP_HOST": host}
    return request.get_host()


class _Database(threading.local):
    """This thread's connection; looking it up in Django takes longer than all its uses here."""

    def __init__(self) -> None:
        self.connection = connections["default"]


class ApiHandler:
    """Handles requests to the API, health and metrics, through `API_MIDDLEWARE`."""

    def __init__(self) -> None:
        self._database = _Database()
        self._match = _CachedResolver()
        self._security = SecurityMiddleware(self._call_view)
        self._headers = {secure: self._common_headers(secure=secure) for secure in (False, True)}
        self._get_response = self._with_middleware(self._call_view)
        self._get_early_response = self._with_middleware(self._call_early)

    def plan(self, environ: "WSGIEnvironment") -> RequestPlan:
        """Return where the request runs, and the size limit of its body.

        Where the view allows it, that is the event loop, unless the request has a cookie, which has
        to be looked up in the database.
        """
        path = environ["PATH_INFO"]
        view = self._view_class(path)
        method = environ["REQUEST_METHOD"]
        suspends = view.suspends(method, environ.get("QUERY_STRING", ""))
        if suspends and "HTTP_COOKIE" not in environ:
            executor = Executor.EVENT_LOOP
        elif _is_operations(path):
            executor = Executor.OPERATIONS_THREADS
        else:
            executor = Executor.REQUEST_THREADS
        return RequestPlan(executor, view.max_request_bytes)

    def early_response(self, environ: "WSGIEnvironment") -> RawResponse | None:
        """Return the response that the head alone determines, or None if the body is needed."""
        began = time.perf_counter()
        request, response = self._handle(environ, self._get_early_response)
        if response is _CONTINUE:
            return None
        return self._finish(request, response, began)

    def response(self, environ: "WSGIEnvironment") -> RawResponse:
        """Handle the request, and count it."""
        began = time.perf_counter()
        request, response = self._handle(environ, self._get_response)
        return self._finish(request, response, began)

    def error_response(
        self, environ: "WSGIEnvironment", status: HTTPStatus, detail: str
    ) -> RawResponse:
        """Return a problem document without calling the view."""
        began = time.perf_counter()
        headers = {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None

        def get_problem(request: HttpRequest) -> HttpResponse:
            return problem(request, status, detail, headers=headers)

        request = ApiRequest(environ)
        return self._finish(request, self._with_middleware(get_problem)(request), began)

    def _handle(
        self, environ: "WSGIEnvironment", get_response: _GetResponse
    ) -> tuple[ApiRequest, HttpResponse]:
        # The one purpose of Django's request signals here: a connection that this thread has not
        # used for long is replaced, and a dead one is noticed.
        self._database.connection.close_if_unusable_or_obsolete()
        request = ApiRequest(environ)
        return request, get_response(request)

    def _finish(self, request: ApiRequest, response: HttpResponse, began: float) -> RawResponse:
        if (
            response.status_code >= HTTPStatus.BAD_REQUEST
            and response.status_code != _NOT_IMPLEMENTED
        ):
            log_response(
                "%s: %s", response.reason_phrase, request.path, response=response, request=request
            )
        items = list(response.items())
        given = {name.lower() for name, _ in items}
        headers = _encoded(items)
        common = self._headers[request.is_secure()]
        headers += [header for name, header in common.items() if name not in given]
        stream = response.stream if isinstance(response, StreamResponse) else None
        # A 304 has the length of the 200 or none (RFC 9110, section 8.6); clients may wait for it.
        is_framed = stream or response.status_code == HTTPStatus.NOT_MODIFIED
        if not is_framed and "content-length" not in given:
            headers.append((b"Content-Length", b"%d" % len(response.content)))
        count_request(request, response.status_code, time.perf_counter() - began)
        return RawResponse(response.status_code, headers, response.content, stream)

    def _with_middleware(self, get_response: _GetResponse) -> _GetResponse:
        wrapped: _GetResponse = convert_exception_to_response(self._checked(get_response))
        for path in reversed(settings.API_MIDDLEWARE):
            middleware = import_string(path)
            wrapped = convert_exception_to_response(middleware(wrapped))
        return wrapped

    def _checked(self, get_response: _GetResponse) -> _GetResponse:
        def check(request: HttpRequest) -> HttpResponse:
            # Probes of containers use addresses that nobody configures.
            if not _is_operations(request.path_info):
                request.get_host()  # raises DisallowedHost
            response: HttpResponse = self._security.process_request(request) or get_response(
                request
            )
            return response

        return check

    def _call_view(self, request: HttpRequest) -> HttpResponse:
        request.resolver_match = match = self._match(request.path_info)
        response: HttpResponse = match.func(request, *match.args, **match.kwargs)
        return response.render() if isinstance(response, SimpleTemplateResponse) else response

    def _call_early(self, request: HttpRequest) -> HttpResponse:
        request.resolver_match = match = self._match(request.path_info)
        view_class = getattr(match.func, "cls", None)
        if view_class is None or not issubclass(view_class, ApiView):
            return self._call_view(request)
        view = view_class(**match.func.initkwargs)  # type: ignore[attr-defined] # DRF's
        return view.early_response(request, *match.args, **match.kwargs) or _CONTINUE

    def _view_class(self, path: str) -> type[ApiView]:
        view_class = getattr(self._match(path).func, "cls", ApiView)
        return view_class if issubclass(view_class, ApiView) else ApiView

    def _common_headers(self, *, secure: bool) -> dict[str, tuple[bytes, bytes]]:
        """Return the headers that the middleware of pages adds to any response, by lower name."""
        environ: dict[str, Any] = {"wsgi.url_scheme": "https" if secure else "http"}
        setup_testing_defaults(environ)
        request = ApiRequest(environ)
        response = self._security.process_response(request, HttpResponse())
        response = XFrameOptionsMiddleware(self._call_view).process_response(request, response)
        del response["Content-Type"]
        # An item is shown to one client, as it is now.
        response["Cache-Control"] = "no-store"
        names = [name.lower() for name, _ in response.items()]
        return dict(zip(names, _encoded(response.items()), strict=True))


#: Means: the body has to be read before there is a response.
_CONTINUE = HttpResponse(status=HTTPStatus.CONTINUE)


class _CachedResolver:
    """Finds the view of a path; caches paths of routes alone: clients can send any others."""

    def __init__(self) -> None:
        self._resolve = get_resolver().resolve
        self._fallback = self._resolve(API).func
        self._known: dict[str, ResolverMatch] = {}

    def __call__(self, path: str) -> ResolverMatch:
        match = self._known.get(path)
        if match is None:
            match = self._resolve(path)
            if match.func is not self._fallback:
                if len(self._known) >= _CACHED_PATHS:
                    self._known.clear()
                self._known[path] = match
        return match
