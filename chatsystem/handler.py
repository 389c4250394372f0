"""From WSGI to a view and back: pages by Django's own handler, the API by a shorter one.

What Django does around each request serves pages: sessions, forms, log-ins, static files, a script
name, the signals of a request. A create costs twice as much with it as without.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django.template.response import SimpleTemplateResponse
from django.urls import get_resolver
from django.utils.functional import cached_property
from django.utils.module_loading import import_string

from core.http.chunked import with_length

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

API = "/api/"

_Respond = Callable[[HttpRequest], Any]


def application() -> "WSGIApplication":
    """The whole server."""
    pages, api = WSGIHandler(), ApiHandler()

    def route(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        is_api = environ.get("PATH_INFO", "").startswith(API)
        return (api if is_api else pages)(environ, start_response)

    return with_length(route)


class ApiRequest(WSGIRequest):
    """Django's, which looks at the host anew each time that it is asked for it."""

    @cached_property
    def _host(self) -> str:
        return super().get_host()

    def get_host(self) -> str:
        """The host that the client asked. Raises DisallowedHost."""
        return self._host


class ApiHandler:
    """Answers requests of the API, through `API_MIDDLEWARE`."""

    def __init__(self) -> None:
        self._security = SecurityMiddleware(_call_view)
        self._headers = {secure: self._said_of_each(secure=secure) for secure in (False, True)}
        self._respond: _Respond = convert_exception_to_response(self._call_secure)
        for path in reversed(settings.API_MIDDLEWARE):
            middleware = import_string(path)
            self._respond = convert_exception_to_response(middleware(self._respond))

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request."""
        # All that Django's signals of a request are needed for: a connection that this thread left
        # long ago is replaced, and one that died is noticed.
        close_old_connections()
        request = ApiRequest(environ)
        response = self._respond(request)
        headers = [*response.items(), *self._headers[request.is_secure()]]
        if not response.has_header("Content-Length"):
            headers.append(("Content-Length", str(len(response.content))))
        start_response(f"{response.status_code} {response.reason_phrase}", headers)
        return [response.content]

    def _call_secure(self, request: HttpRequest) -> HttpResponse:
        request.get_host()  # raises what a foreign one is answered with
        return self._security.process_request(request) or _call_view(request)

    def _said_of_each(self, *, secure: bool) -> list[tuple[str, str]]:
        """What the middleware of pages puts into any answer, asked once."""
        environ: dict[str, Any] = {"wsgi.url_scheme": "https" if secure else "http"}
        setup_testing_defaults(environ)
        request = ApiRequest(environ)
        response = self._security.process_response(request, HttpResponse())
        response = XFrameOptionsMiddleware(_call_view).process_response(request, response)
        del response["Content-Type"]
        return list(response.items())


def _call_view(request: HttpRequest) -> HttpResponse:
    request.resolver_match = match = get_resolver().resolve(request.path_info)
    response: HttpResponse = match.func(request, *match.args, **match.kwargs)
    return response.render() if isinstance(response, SimpleTemplateResponse) else response
