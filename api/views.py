"""Requests that a page of another site makes, refused where no key is asked for.

A browser on this machine, or near it, reaches a service that strangers do not, and any page can
make it send a form there. Browsers say where a request comes from, in headers that no page can set.
Programs that are no browsers send neither header. A name that a stranger points at this machine is
refused before, since it is none of ALLOWED_HOSTS. Reads change nothing and are not judged.

The base of all API views: what DRF does by default and this API promises otherwise.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import MethodNotAllowed, PermissionDenied, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from api.etags import etag
from api.formats import MAX_REQUEST_BYTES, json_response
from api.idempotency_key import REPLAYED_HEADER
from api.rate_limits.throttle import ThrottledView
from infra import database
from infra.errors import TooLarge, Unavailable
from infra.timeouts import DATABASE_RETRY_AFTER_SECONDS
from infra.versions import FIRST_VERSION
from ingest.idempotency.keys import IdempotentRequest

_READ_METHODS = ("GET", "HEAD", "OPTIONS")
#: Sec-Fetch-Site of requests by this service's own pages, or by the user directly. Other ports of
#: this machine are "same-site", which is not enough.
_OWN_SITES = ("same-origin", "none")


def refuse_other_sites(request: HttpRequest) -> None:
    """Raises PermissionDenied for a change that a page of another site asks for."""
    if request.method in _READ_METHODS:
        return
    origin = request.META.get("HTTP_ORIGIN")
    if origin in getattr(settings, "CORS_ALLOWED_ORIGINS", ()):
        return
    site = request.META.get("HTTP_SEC_FETCH_SITE")
    is_foreign = (
        _is_foreign_origin(origin, request.get_host()) if site is None else site not in _OWN_SITES
    )
    if is_foreign:
        raise PermissionDenied("Pages of other sites may not do this: see CORS_ORIGINS.")


def _is_foreign_origin(origin: str | None, own: str) -> bool:
    """Whether an old browser names another site, or hides it. Browsers send no junk."""
    if origin is None or "://" not in origin:
        return origin == "null"
    try:
        return urlsplit(origin).netloc.lower() != own.lower()
    except ValueError:
        return True


APPLICATIONS = "^api/v1/applications"
#: Path segments. Digits are bounded so that every number fits a signed 64-bit column.
TOKEN = "(?P<token>[0-9a-f]{24})"  # noqa: S105 - a pattern
CHAT_NUMBER = "(?P<chat_number>[1-9][0-9]{0,17})"
MESSAGE_NUMBER = "(?P<message_number>[1-9][0-9]{0,17})"


class OptionsView(APIView):
    """A view that answers OPTIONS with Allow, which DRF adds to every answer, and nothing else."""

    def options(  # type: ignore[override] # Response would want a renderer for nothing
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """No content."""
        response = HttpResponse(status=HTTPStatus.NO_CONTENT)
        del response["Content-Type"]
        return response


class KeyedView(APIView):
    """A view that asks for a key; where none is required it refuses pages of other sites."""

    def perform_authentication(self, request: Request) -> None:
        """Raises AuthenticationFailed, KeysAway, PermissionDenied."""
        if settings.ENVIRONMENT.keys_required:
            super().perform_authentication(request)
        else:
            refuse_other_sites(request._request)

    def check_permissions(self, request: Request) -> None:
        """Raises NotAuthenticated, PermissionDenied, ApplicationNotFound."""
        if settings.ENVIRONMENT.keys_required:
            super().check_permissions(request)


class ApiView(ThrottledView, KeyedView, OptionsView):
    """A view that knows how many bytes it takes, and how much a client may ask of it."""

    max_request_bytes = MAX_REQUEST_BYTES
    #: A member of the staff who uses the API by the admin's session needs, by the request's method,
    #: this permission for each of these models: the one that the admin asks for the same.
    models: ClassVar[Sequence[type[Model]]] = ()
    actions: ClassVar[Mapping[str, str]] = {
        "GET": "view",
        "HEAD": "view",
        "POST": "add",
        "PUT": "change",
        "PATCH": "change",
        "DELETE": "delete",
    }
    #: Those that wait for groups alone (infra.greenlet_bridge), and neither ask the database by
    #: themselves nor take long.
    suspendable_methods: Collection[str] = ()
    #: Those that fail without the database. While it is known to be away they do so at once.
    database_methods: Collection[str] = ("GET", "HEAD", "PUT", "PATCH", "DELETE")

    def get_parsers(self) -> list[BaseParser]:
        """The parsers; they know nothing of a request, so they need not be made for each."""
        return _instances(tuple(self.parser_classes))

    def get_renderers(self) -> list[BaseRenderer]:
        """The same of renderers."""
        return _instances(tuple(self.renderer_classes))

    def get_authenticators(self) -> list[BaseAuthentication]:
        """And of those who tell who asks."""
        return _instances(tuple(self.authentication_classes))

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """As DRF has it, but a request ends with its answer.

        The view and DRF's request refer to each other and to themselves, so all that was sent and
        asked would stay in memory until the next look for garbage.
        """
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            self.request.parser_context.clear()
            vars(self).clear()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raises Unavailable, and whatever refuses the request."""
        super().initial(request, *args, **kwargs)
        if request.method in self.database_methods and database.database_breaker().is_open:
            raise Unavailable("The database is away.", DATABASE_RETRY_AFTER_SECONDS)

    def judge(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase | None:
        """The answer that the head alone has earned, or None where the body matters."""
        self.setup(request, *args, **kwargs)
        try:
            self.headers = self.default_response_headers
            self.request = self.initialize_request(request, *args, **kwargs)
            try:
                self.initial(self.request, *args, **kwargs)
                self._check_head()
            except Exception as error:  # noqa: BLE001 - as in DRF's own dispatch
                response = self.handle_exception(error)
            else:
                return None
            return self.finalize_response(self.request, response, *args, **kwargs)
        finally:
            self.request.parser_context.clear()
            vars(self).clear()

    def _check_head(self) -> None:
        """Raises MethodNotAllowed, TooLarge, UnsupportedMediaType."""
        request = self.request
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(str(request.method))
        if int(request._request.META.get("CONTENT_LENGTH") or 0) > self.max_request_bytes:
            raise TooLarge(f"The request may have at most {self.max_request_bytes} bytes.")
        parsers = self.get_parsers()
        if self.get_content_negotiator().select_parser(request, parsers) is None:
            raise UnsupportedMediaType(request.content_type)

    @property
    def allowed_methods(self) -> list[str]:
        """What Allow says, in each answer."""
        return _methods_of(self.__class__)  # type: ignore[arg-type] # a class is hashable


@cache
def _instances(classes: tuple[Callable[[], Any], ...]) -> list[Any]:
    return [each() for each in classes]


@cache
def _methods_of(view: Hashable) -> list[str]:
    names = {method for method in ApiView.http_method_names if hasattr(view, method)}
    if "get" in names:
        names.add("head")  # which Django adds to each view as it is made
    return [method.upper() for method in ApiView.http_method_names if method in names]


def created_response(
    request: Request,
    segment: object,
    data: dict[str, object],
    once: IdempotentRequest | None = None,
    version: int = FIRST_VERSION,
) -> HttpResponse:
    """201 with the absolute address of what was made: this path and one segment more."""
    asked = request._request  # DRF's looks each attribute up twice
    # The route has matched, so the path needs no escapes.
    location = f"{asked.scheme}://{asked.get_host()}{asked.path.rstrip('/')}/{segment}"
    return _created_response(data, {"Location": location, "ETag": etag(version)}, once)


def created_many_response(
    items: Sequence[dict[str, object]], once: IdempotentRequest | None = None
) -> HttpResponse:
    """201 with all that was made."""
    return _created_response({"results": items}, {}, once)


def _created_response(
    data: object, headers: dict[str, str], once: IdempotentRequest | None
) -> HttpResponse:
    if once and once.is_repeat:
        headers[REPLAYED_HEADER] = "true"
    return json_response(data, HTTPStatus.CREATED, headers)
