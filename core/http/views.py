"""The base of all API views: what DRF does by default and this API promises otherwise."""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import MethodNotAllowed, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from core import database
from core.accept.submission import Repeatable
from core.errors import TooLarge, Unavailable
from core.http.answers import answer
from core.http.conditional import etag
from core.http.limits import LimitedView
from core.http.origins import refuse_other_sites
from core.http.parsers import MAX_REQUEST_BYTES
from core.http.repeats import REPLAYED
from core.timeouts import DATABASE_RETRY_AFTER_SECONDS
from core.versions import FIRST

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


class ApiView(LimitedView, KeyedView, OptionsView):
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
    #: Those that wait for groups alone (core.suspending), and neither ask the database by
    #: themselves nor take long.
    suspendable_methods: Collection[str] = ()
    #: Those that fail without the database. While it is known to be away they do so at once.
    database_methods: Collection[str] = ("GET", "HEAD", "PUT", "PATCH", "DELETE")

    def get_parsers(self) -> list[BaseParser]:
        """The parsers; they know nothing of a request, so they need not be made for each."""
        return _one_of_each(tuple(self.parser_classes))

    def get_renderers(self) -> list[BaseRenderer]:
        """The same of renderers."""
        return _one_of_each(tuple(self.renderer_classes))

    def get_authenticators(self) -> list[BaseAuthentication]:
        """And of those who tell who asks."""
        return _one_of_each(tuple(self.authentication_classes))

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
        if request.method in self.database_methods and database.breaker().is_open:
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
def _one_of_each(classes: tuple[Callable[[], Any], ...]) -> list[Any]:
    return [each() for each in classes]


@cache
def _methods_of(view: Hashable) -> list[str]:
    names = {method for method in ApiView.http_method_names if hasattr(view, method)}
    if "get" in names:
        names.add("head")  # which Django adds to each view as it is made
    return [method.upper() for method in ApiView.http_method_names if method in names]


def created(
    request: Request,
    segment: object,
    data: dict[str, object],
    once: Repeatable | None = None,
    version: int = FIRST,
) -> HttpResponse:
    """201 with the absolute address of what was made: this path and one segment more."""
    asked = request._request  # DRF's looks each attribute up twice
    # The route has matched, so the path needs no escapes.
    location = f"{asked.scheme}://{asked.get_host()}{asked.path.rstrip('/')}/{segment}"
    return _created(data, {"Location": location, "ETag": etag(version)}, once)


def created_many(
    items: Sequence[dict[str, object]], once: Repeatable | None = None
) -> HttpResponse:
    """201 with all that was made."""
    return _created({"results": items}, {}, once)


def _created(data: object, headers: dict[str, str], once: Repeatable | None) -> HttpResponse:
    if once and once.is_repeat:
        headers[REPLAYED] = "true"
    return answer(data, HTTPStatus.CREATED, headers)
