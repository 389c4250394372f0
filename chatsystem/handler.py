"""From WSGI to a view and back: pages by Django's own handler, the API by a shorter one.

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
from django.urls import Resolver404, get_resolver
from django.utils.functional import cached_property
from django.utils.log import log_response
from django.utils.module_loading import import_string

from core.http.chunked import with_length
from core.http.counted import count_request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

API = "/api/"
#: So many addresses are remembered with their views; those of busy chats are asked again and again.
_PATHS = 2000

_Respond = Callable[[HttpRequest], Any]


class SiteHandler:
    """The whole server."""

    def __init__(self) -> None:
        self._pages, self._api = WSGIHandler(), ApiHandler()
        self._answer = with_length(self._route)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request."""
        return self._answer(environ, start_response)

    def may_be_suspended(self, environ: "WSGIEnvironment") -> bool:
        """Whether the request may be answered on an event loop (core.suspending)."""
        return _is_of_api(environ) and self._api.may_be_suspended(environ)

    def _route(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        return (self._api if _is_of_api(environ) else self._pages)(environ, start_response)


def _is_of_api(environ: "WSGIEnvironment") -> bool:
    return bool(environ.get("PATH_INFO", "").startswith(API))


class ApiRequest(WSGIRequest):
    """Django's, which finds out anew what it knows each time that it is asked."""

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
        return _ours(host, tuple(settings.ALLOWED_HOSTS)) if host else super().get_host()


@lru_cache(maxsize=1000)
def _ours(host: str, _allowed: tuple[str, ...]) -> str:
    """The host, if it is one of ours; clients come by few."""
    request = HttpRequest()
    request.META = {"HTTP_HOST": host}
    return request.get_host()


class _Database(threading.local):
    """This thread's connection; Django's own way to it takes longer than all that is done here."""

    def __init__(self) -> None:
        self.connection = connections["default"]


class ApiHandler:
    """Answers requests of the API, through `API_MIDDLEWARE`."""

    def __init__(self) -> None:
        self._database = _Database()
        # Raises Resolver404, which is not kept.
        self._match = lru_cache(maxsize=_PATHS)(get_resolver().resolve)
        self._security = SecurityMiddleware(self._call_view)
        self._headers = {secure: self._said_of_each(secure=secure) for secure in (False, True)}
        self._respond: _Respond = convert_exception_to_response(self._call_secure)
        for path in reversed(settings.API_MIDDLEWARE):
            middleware = import_string(path)
            self._respond = convert_exception_to_response(middleware(self._respond))

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request, and count it."""
        began = time.perf_counter()
        # All that Django's signals of a request are needed for: a connection that this thread left
        # long ago is replaced, and one that died is noticed.
        self._database.connection.close_if_unusable_or_obsolete()
        request = ApiRequest(environ)
        response = self._respond(request)
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            log_response(
                "%s: %s", response.reason_phrase, request.path, response=response, request=request
            )
        headers = [*response.items(), *self._headers[request.is_secure()]]
        if not response.has_header("Content-Length"):
            headers.append(("Content-Length", str(len(response.content))))
        count_request(request, response.status_code, time.perf_counter() - began)
        start_response(f"{response.status_code} {response.reason_phrase}", headers)
        return [response.content]

    def may_be_suspended(self, environ: "WSGIEnvironment") -> bool:
        """Whether the request's view waits for nothing but groups.

        Where a cookie has to be looked up in the database it does not.
        """
        if "HTTP_COOKIE" in environ:
            return False
        try:
            match = self._match(environ["PATH_INFO"])
        except Resolver404:
            return False
        methods = getattr(getattr(match.func, "cls", None), "suspendable_methods", ())
        return environ["REQUEST_METHOD"] in methods

    def _call_secure(self, request: HttpRequest) -> HttpResponse:
        request.get_host()  # raises what a foreign one is answered with
        return self._security.process_request(request) or self._call_view(request)

    def _call_view(self, request: HttpRequest) -> HttpResponse:
        request.resolver_match = match = self._match(request.path_info)
        response: HttpResponse = match.func(request, *match.args, **match.kwargs)
        return response.render() if isinstance(response, SimpleTemplateResponse) else response

    def _said_of_each(self, *, secure: bool) -> list[tuple[str, str]]:
        """What the middleware of pages puts into any answer, asked once."""
        environ: dict[str, Any] = {"wsgi.url_scheme": "https" if secure else "http"}
        setup_testing_defaults(environ)
        request = ApiRequest(environ)
        response = self._security.process_response(request, HttpResponse())
        response = XFrameOptionsMiddleware(self._call_view).process_response(request, response)
        del response["Content-Type"]
        return list(response.items())
