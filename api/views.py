"""The base class of all API views, and the responses that they return.

The base class differs from DRF's where the API does. Responses are rendered by orjson where they
are made; DRF's rendering would cost a tenth of a create. The entity tag of an item is its version.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import (
    MethodNotAllowed,
    Throttled,
    UnsupportedMediaType,
)
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from api.rate_limits.throttle import RateLimit
from api.requests import MAX_REQUEST_BYTES, names_tag, refuse_other_sites, replay_headers
from infra import database
from infra.errors import TooLarge, Unavailable
from infra.timeouts import DATABASE_RETRY_AFTER_SECONDS
from infra.versions import FIRST_VERSION
from ingest.idempotency import IdempotentRequest

if TYPE_CHECKING:
    from django.contrib.auth.models import User

APPLICATIONS = "^api/v1/applications"
#: Path segments. The number of digits is bounded so that every number fits a signed 64-bit column.
TOKEN = "(?P<token>[0-9a-f]{24})"  # noqa: S105 - a pattern
CHAT_NUMBER = "(?P<chat_number>[1-9][0-9]{0,17})"
MESSAGE_NUMBER = "(?P<message_number>[1-9][0-9]{0,17})"


class JsonNegotiation(DefaultContentNegotiation):
    """DRF's negotiation, with a short cut for clients that accept anything, or just the format."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Return the parser of exactly this media type; DRF takes "*/*" for any."""
        media_type = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> Any:
        """Return the renderer and its media type. Raises NotAcceptable."""
        renderer, *others = renderers
        accepts = request.META.get("HTTP_ACCEPT") or "*/*"
        if not others and accepts in ("*/*", renderer.media_type):
            return renderer, renderer.media_type
        return super().select_renderer(request, renderers, format_suffix)

    def get_accept_list(self, request: Request) -> list[str]:
        """Return the media types that the client accepts; an empty header accepts any."""
        return [name.strip() for name in (request.META.get("HTTP_ACCEPT") or "*/*").split(",")]


class JsonRenderer(BaseRenderer):
    """JSON in UTF-8, without escapes of non-ASCII characters."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the body of a response, which is empty for None."""
        return b"" if data is None else orjson.dumps(data)


def json_response(
    data: object, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Build a response with the data as JSON."""
    content = JsonRenderer().render(data)
    return HttpResponse(
        content, status=status, content_type=JsonRenderer.media_type, headers=headers
    )


def created_response(
    request: HttpRequest,
    segment: object,
    data: dict[str, object],
    idempotent: IdempotentRequest | None = None,
    version: int = FIRST_VERSION,
) -> HttpResponse:
    """Build a 201; Location is the path of the request and one more segment."""
    # The route has matched, so the path needs no escapes.
    path = f"{request.path.rstrip('/')}/{segment}"
    location = f"{request.scheme}://{request.get_host()}{path}"
    return _created_response(data, {"Location": location, "ETag": etag(version)}, idempotent)


def created_many_response(
    items: Sequence[dict[str, object]], idempotent: IdempotentRequest | None = None
) -> HttpResponse:
    """Build a 201 with all new items."""
    return _created_response({"results": items}, {}, idempotent)


def _created_response(
    data: object, headers: dict[str, str], idempotent: IdempotentRequest | None
) -> HttpResponse:
    headers |= replay_headers(idempotent)
    return json_response(data, HTTPStatus.CREATED, headers)


def etag(version: int) -> str:
    """Format the value of an ETag header."""
    return f'"{version}"'


def conditional_response(
    request: Request, version: int, represent: Callable[[], Mapping[str, object]]
) -> HttpResponse:
    """Build a response with the item and its ETag; 304 for a read by a client that has it."""
    headers = {"ETag": etag(version)}
    known = request.META.get("HTTP_IF_NONE_MATCH")
    if known and request.method in ("GET", "HEAD") and names_tag(known, etag(version)):
        return HttpResponseNotModified(headers=headers)
    return json_response(represent(), headers=headers)


class OptionsView(APIView):
    """A view that answers OPTIONS with Allow, which DRF adds to every response, and no content."""

    content_negotiation_class = JsonNegotiation

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Keep Django's request too; `self.request` becomes DRF's."""
        super().setup(request, *args, **kwargs)
        self.http_request = request

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Make DRF's request with its own META and method; it searches for each otherwise."""
        made = super().initialize_request(request, *args, **kwargs)
        made.META, made.method = request.META, request.method
        return made

    def options(  # type: ignore[override] # Response would need a renderer
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Return 204."""
        response = HttpResponse(status=HTTPStatus.NO_CONTENT)
        del response["Content-Type"]
        return response


class ApiView(OptionsView):
    """A view with keys, rate limit, bounded bodies, and a fast refusal without the database."""

    max_request_bytes = MAX_REQUEST_BYTES
    #: A member of the staff with an admin session needs the permission of `actions` for each of
    #: these models: the one that the admin requires for the same change.
    models: ClassVar[Sequence[type[Model]]] = ()
    actions: ClassVar[Mapping[str, str]] = {
        "GET": "view",
        "HEAD": "view",
        "POST": "add",
        "PUT": "change",
        "PATCH": "change",
        "DELETE": "delete",
    }
    #: Methods that wait on the event loop (infra.event_loop): they run no query of their own there
    #: and take little time.
    suspendable_methods: Collection[str] = ()
    #: Query parameters that select rows by their values, for which it runs queries of its own.
    filters: ClassVar[AbstractSet[str]] = frozenset()
    #: Methods that need the database. While it is known to be down they fail at once.
    database_methods: Collection[str] = ("GET", "HEAD", "PUT", "PATCH", "DELETE")
    renderer_classes: Sequence[type[BaseRenderer]] = (JsonRenderer,)
    throttle_classes: Sequence[type[BaseThrottle]] = (RateLimit,)
    _is_counted = False

    @classmethod
    def suspends(cls, method: str, query: str) -> bool:
        """Whether a request with this method and query string is handled on the event loop."""
        # A name may be written with escapes.
        is_filtered = cls.filters and ("%" in query or any(name in query for name in cls.filters))
        return method in cls.suspendable_methods and not is_filtered

    def get_parsers(self) -> list[BaseParser]:
        """Return parsers that all requests share, since they have no state of a request."""
        return _instances(tuple(self.parser_classes))

    def get_renderers(self) -> list[BaseRenderer]:
        """Return shared renderers."""
        return _instances(tuple(self.renderer_classes))

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Return shared authenticators."""
        return _instances(tuple(self.authentication_classes))

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Handle the request as DRF does, and free its memory with the response.

        The view and DRF's request form a reference cycle, so the bodies of request and response
        would stay in memory until the next garbage collection.
        """
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            self._break_cycle()

    def _break_cycle(self) -> None:
        self.request.parser_context.clear()
        vars(self).clear()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raise whatever refuses the request, and Unavailable without the database."""
        super().initial(request, *args, **kwargs)
        if request.method in self.database_methods and database.database_breaker().is_open:
            raise Unavailable("The database is unavailable.", DATABASE_RETRY_AFTER_SECONDS)

    # --- Keys and limits --------------------------------------------------------------------

    def perform_authentication(self, request: Request) -> None:
        """Raise AuthenticationFailed, KeysUnavailable or PermissionDenied."""
        if settings.ENVIRONMENT.keys_required:
            super().perform_authentication(request)
        elif request.method not in SAFE_METHODS:
            refuse_other_sites(self.http_request)

    def check_permissions(self, request: Request) -> None:
        """Raise NotAuthenticated, PermissionDenied or ApplicationNotFound."""
        if settings.ENVIRONMENT.keys_required:
            super().check_permissions(request)

    @property
    def staff_user(self) -> "User | None":
        """The member of the staff whose admin session authenticates the request, if any."""
        if not settings.ENVIRONMENT.keys_required:
            return None
        user: User | None = getattr(self.request.user, "user", None)
        return user

    def get_throttles(self) -> list[BaseThrottle]:
        """Return no throttles unless RATE_LIMIT is set."""
        return super().get_throttles() if settings.ENVIRONMENT.rate_limit else []

    def check_throttles(self, request: Request) -> None:
        """Raise Throttled."""
        self._is_counted = True
        super().check_throttles(request)

    def handle_exception(self, exc: Exception) -> Response:
        """Return the response to the error, or 429 where the error came before the rate limit.

        DRF checks the limit last. A request that is refused earlier is counted here, so guessing
        keys is limited too.
        """
        if not self._is_counted:
            try:
                self.check_throttles(self.request)
            except Throttled as throttled:
                exc = throttled
        return super().handle_exception(exc)

    # --- Before the body is read --------------------------------------------------------------

    def early_response(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase | None:
        """Return the response that the head alone determines, or None if the body is needed."""
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
            self._break_cycle()

    def _check_head(self) -> None:
        """Raise MethodNotAllowed, TooLarge or UnsupportedMediaType."""
        request = self.request
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(str(request.method))
        if int(request.META.get("CONTENT_LENGTH") or 0) > self.max_request_bytes:
            raise TooLarge(f"The request may have at most {self.max_request_bytes} bytes.")
        parsers = self.get_parsers()
        if self.get_content_negotiator().select_parser(request, parsers) is None:
            raise UnsupportedMediaType(request.content_type)

    @property
    def allowed_methods(self) -> list[str]:
        """The value of Allow in each response."""
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
