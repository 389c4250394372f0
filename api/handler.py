"""From a request to its view and back: pages by Django's own handler, the API by a shorter one.

What Django does around each request serves pages: sessions, forms, log-ins, static files, a script
name, the signals of a request. A create costs twice as much with it as without.
"""

import threading
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django.template.response import SimpleTemplateResponse
from django.urls import ResolverMatch, get_resolver
from django.utils.functional import cached_property
from django.utils.log import log_response
from django.utils.module_loading import import_string

from api.asgi import Answer, Place, Plan
from api.problems import problem
from api.request_metrics import count_request
from api.views import ApiView

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: What begins so is answered by ApiHandler, everything else by Django's.
API, HEALTH, METRICS = "/api/", "/health/", "/metrics"
#: A form of the admin has one message at most, but names many rows of a list.
MAX_PAGE_REQUEST_BYTES = 1024 * 1024

#: Addresses that are remembered with their views: those of busy chats come again and again.
_PATHS = 2000
#: Hosts that are remembered as ours. Clients use few, but may spell them in many ways.
_HOSTS, _HOST_LENGTH = 100, 255

#: A client's fault, although it is one of the 5xx: it is not logged as the server's.
_NOT_IMPLEMENTED = HTTPStatus.NOT_IMPLEMENTED

_Respond = Callable[[HttpRequest], Any]


class SiteHandler:
    """All routes."""

    def __init__(self) -> None:
        self._pages, self._api = WSGIHandler(), ApiHandler()

    def plan(self, environ: "WSGIEnvironment") -> Plan:
        """Where the request runs, and how large its body may be."""
        if _is_of_api(environ):
            return self._api.plan(environ)
        return Plan(Place.REQUESTS, MAX_PAGE_REQUEST_BYTES)

    def judge(self, environ: "WSGIEnvironment") -> Answer | None:
        """The answer that the request's head alone has earned, or None."""
        if _is_of_api(environ):
            return self._api.judge(environ)
        if int(environ.get("CONTENT_LENGTH") or 0) > MAX_PAGE_REQUEST_BYTES:
            detail = f"The request may have at most {MAX_PAGE_REQUEST_BYTES} bytes."
            return self.refuse(environ, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        return None

    def answer(self, environ: "WSGIEnvironment") -> Answer:
        """The answer to the request."""
        return self._api.answer(environ) if _is_of_api(environ) else self._page(environ)

    def refuse(self, environ: "WSGIEnvironment", status: HTTPStatus, detail: str) -> Answer:
        """A problem document for a request that is not answered by its view."""
        return self._api.refuse(environ, status, detail)

    def _page(self, environ: "WSGIEnvironment") -> Answer:
        started: list[tuple[str, list[tuple[str, str]]]] = []
        chunks: Iterable[bytes] = self._pages(environ, lambda *start: started.append(start[:2]))  # type: ignore[arg-type] # it returns nothing to write with
        try:
            content = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        line, headers = started[-1]
        status, encoded = int(line[:3]), _encoded(headers)
        # What refuses a request before Django's CommonMiddleware does not say how long it is.
        is_framed = any(name.lower() == b"content-length" for name, _ in encoded)
        if not is_framed and status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            encoded.append((b"Content-Length", b"%d" % len(content)))
        return Answer(status, encoded, content)


def _is_of_api(environ: "WSGIEnvironment") -> bool:
    path: str = environ["PATH_INFO"]
    return path.startswith(API) or _is_of_operations(path)


def _is_of_operations(path: str) -> bool:
    return path.startswith(HEALTH) or path.rstrip("/") == METRICS


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


class ApiRequest(WSGIRequest):
    """WSGIRequest with scheme and host cached."""

    @cached_property
    def scheme(self) -> str | None:
        """Http or https, as far as the client is concerned."""
        return super().scheme

    def get_host(self) -> str:
        """The host that the client asked. Raises DisallowedHost."""
        return self._host

    @cached_property
    def _host(self) -> str:
        host = self.META.get("HTTP_HOST")
        if not host or len(host) > _HOST_LENGTH:
            return super().get_host()
        return _allowed_host(host, tuple(settings.ALLOWED_HOSTS))


@lru_cache(maxsize=_HOSTS)
def _allowed_host(host: str, _allowed: tuple[str, ...]) -> str:
    """The host. Raises DisallowedHost, which is not remembered."""
    request = HttpRequest()
    request.META = {"HTTP_HOST": host}
    return request.get_host()


class _Database(threading.local):
    """This thread's connection; Django's own way to it takes longer than all that is done here."""

    def __init__(self) -> None:
        self.connection = connections["default"]


class ApiHandler:
    """Answers requests of the API, of health and of metrics, through `API_MIDDLEWARE`."""

    def __init__(self) -> None:
        self._database = _Database()
        self._match = _Matches()
        self._security = SecurityMiddleware(self._call_view)
        self._headers = {secure: self._common_headers(secure=secure) for secure in (False, True)}
        self._respond = self._with_middleware(self._call_view)
        self._respond_to_head = self._with_middleware(self._call_judge)

    def plan(self, environ: "WSGIEnvironment") -> Plan:
        """Where the request runs, and how large its body may be.

        A view that waits for nothing but groups runs on the event loop, unless a cookie has to be
        looked up in the database for it.
        """
        path = environ["PATH_INFO"]
        view = self._view_class(path)
        method = environ["REQUEST_METHOD"]
        if method in view.suspendable_methods and "HTTP_COOKIE" not in environ:
            place = Place.LOOP
        elif _is_of_operations(path):
            place = Place.OPERATIONS
        else:
            place = Place.REQUESTS
        return Plan(place, view.max_request_bytes)

    def judge(self, environ: "WSGIEnvironment") -> Answer | None:
        """The answer that the request's head alone has earned, or None where its body matters."""
        began = time.perf_counter()
        request, response = self._handle(environ, self._respond_to_head)
        if response is _GO_ON:
            return None
        return self._answered(request, response, began)

    def answer(self, environ: "WSGIEnvironment") -> Answer:
        """The answer to the request, which is counted."""
        began = time.perf_counter()
        request, response = self._handle(environ, self._respond)
        return self._answered(request, response, began)

    def refuse(self, environ: "WSGIEnvironment", status: HTTPStatus, detail: str) -> Answer:
        """A problem document for a request that is not answered by its view."""
        began = time.perf_counter()
        headers = {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None

        def refuse(request: HttpRequest) -> HttpResponse:
            return problem(request, status, detail, headers=headers)

        request = ApiRequest(environ)
        return self._answered(request, self._with_middleware(refuse)(request), began)

    def _handle(
        self, environ: "WSGIEnvironment", respond: _Respond
    ) -> tuple[ApiRequest, HttpResponse]:
        # All that Django's signals of a request are needed for: a connection that this thread left
        # long ago is replaced, and one that died is noticed.
        self._database.connection.close_if_unusable_or_obsolete()
        request = ApiRequest(environ)
        return request, respond(request)

    def _answered(self, request: ApiRequest, response: HttpResponse, began: float) -> Answer:
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
        if "content-length" not in given:
            headers.append((b"Content-Length", b"%d" % len(response.content)))
        count_request(request, response.status_code, time.perf_counter() - began)
        return Answer(response.status_code, headers, response.content)

    def _with_middleware(self, respond: _Respond) -> _Respond:
        wrapped: _Respond = convert_exception_to_response(self._checked(respond))
        for path in reversed(settings.API_MIDDLEWARE):
            middleware = import_string(path)
            wrapped = convert_exception_to_response(middleware(wrapped))
        return wrapped

    def _checked(self, respond: _Respond) -> _Respond:
        def check(request: HttpRequest) -> HttpResponse:
            # Probes of containers ask by addresses that nobody configures.
            if not _is_of_operations(request.path_info):
                request.get_host()  # raises DisallowedHost
            response: HttpResponse = self._security.process_request(request) or respond(request)
            return response

        return check

    def _call_view(self, request: HttpRequest) -> HttpResponse:
        request.resolver_match = match = self._match(request.path_info)
        response: HttpResponse = match.func(request, *match.args, **match.kwargs)
        return response.render() if isinstance(response, SimpleTemplateResponse) else response

    def _call_judge(self, request: HttpRequest) -> HttpResponse:
        request.resolver_match = match = self._match(request.path_info)
        view_class = getattr(match.func, "cls", None)
        if view_class is None or not issubclass(view_class, ApiView):
            return self._call_view(request)
        view = view_class(**match.func.initkwargs)  # type: ignore[attr-defined] # DRF's
        return view.judge(request, *match.args, **match.kwargs) or _GO_ON

    def _view_class(self, path: str) -> type[ApiView]:
        view_class = getattr(self._match(path).func, "cls", ApiView)
        return view_class if issubclass(view_class, ApiView) else ApiView

    def _common_headers(self, *, secure: bool) -> dict[str, tuple[bytes, bytes]]:
        """What the middleware of pages puts into any answer, by lower-case names; asked once."""
        environ: dict[str, Any] = {"wsgi.url_scheme": "https" if secure else "http"}
        setup_testing_defaults(environ)
        request = ApiRequest(environ)
        response = self._security.process_response(request, HttpResponse())
        response = XFrameOptionsMiddleware(self._call_view).process_response(request, response)
        del response["Content-Type"]
        # What an item shows is for this client, now.
        response["Cache-Control"] = "no-store"
        names = [name.lower() for name, _ in response.items()]
        return dict(zip(names, _encoded(response.items()), strict=True))


#: Stands for: the body has to be read before there is an answer.
_GO_ON = HttpResponse(status=HTTPStatus.CONTINUE)


class _Matches:
    """Finds the view of an address; the addresses of busy chats are remembered.

    Only what matches a route is: anything else is as long and as various as clients like.
    """

    def __init__(self) -> None:
        self._resolve = get_resolver().resolve
        self._nothing = self._resolve(API).func
        self._known: dict[str, ResolverMatch] = {}

    def __call__(self, path: str) -> ResolverMatch:
        match = self._known.get(path)
        if match is None:
            match = self._resolve(path)
            if match.func is not self._nothing:
                if len(self._known) >= _PATHS:
                    self._known.clear()
                self._known[path] = match
        return match
