"""Pieces of the API's description (OpenAPI) that all routes share.

Serializers here describe the API and do nothing else: ingest.text_rules reads requests, and the
views build the answers.

What limits add to the description of each route: 429, and the headers of what is answered.

What of the API's description concerns all routes at once.
"""

from functools import cache
from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import requires_csrf_token
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
    inline_serializer,
)
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.content_security import CSP, CSP_HEADER
from api.views import OptionsView
from ingest.records import NAME, RecordType, TextField
from listing.pages import DEFAULT_LIMIT, MAX_LIMIT, MAX_NUMBER

PROBLEM = "application/problem+json"
Shape = type[serializers.Serializer[object]]


class FieldErrorShape(serializers.Serializer[object]):
    """One thing that is wrong with one field."""

    field = serializers.CharField(help_text="As the client wrote it.")
    code = serializers.CharField(help_text="For programs.")
    message = serializers.CharField(help_text="For people.")


class ProblemShape(serializers.Serializer[object]):
    """RFC 9457: what went wrong."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField(help_text="The path of the request.")
    request_id = serializers.CharField(help_text="Also in the header X-Request-ID and in the logs.")
    errors = FieldErrorShape(many=True)  # type: ignore[assignment] # a field, not the property


def text_field(text: TextField) -> serializers.CharField:
    """A text of a request."""
    shape: dict[str, object] = {
        "type": "string",
        "minLength": 1,
        "maxLength": text.most,
        "pattern": text.pattern,
        "description": text.description,
    }
    if text.default is not None:
        shape |= {"minLength": 0, "default": text.default}

    @extend_schema_field(shape)
    class Text(serializers.CharField):
        pass

    return Text(required=text.default is None)


class NewRowShape(serializers.Serializer[object]):
    """The request that creates or edits a row of a record type: its fields."""

    record_type: ClassVar[RecordType]

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """The fields that clients give."""
        return {each.name: text_field(each) for each in self.record_type.fields}


class RowShape(serializers.Serializer[object]):
    """A row of a record type, in the order of RecordType.as_json."""

    record_type: ClassVar[RecordType]

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Key, fields, count and times; then what a subclass declares."""
        record_type = self.record_type
        *parent, number = record_type.key_fields
        shown: dict[str, serializers.Field[Any, Any, Any, Any]] = {
            name: self._key_part(name) for name in (number, *parent)
        }
        for name in record_type.field_names:
            shown[name] = serializers.CharField()
        if record_type.child_count_field:
            text = "True after the hourly count."
            shown[record_type.child_count_field] = serializers.IntegerField(help_text=text)
        shown["created_at"] = serializers.DateTimeField()
        shown["updated_at"] = serializers.DateTimeField()
        return {**shown, **super().get_fields()}

    def _key_part(self, name: str) -> serializers.Field[Any, Any, Any, Any]:
        if self.record_type.key.__annotations__[name] is int:
            return serializers.IntegerField(min_value=1)
        return serializers.CharField()


class NameShape(serializers.Serializer[object]):
    """The request that creates or renames."""

    name = text_field(NAME)


def for_example(**fields: object) -> list[OpenApiExample]:
    """A request as somebody might send it."""
    return [OpenApiExample("Request", value=fields, request_only=True)]


def problem_responses(*statuses: int) -> dict[tuple[int, str], Shape]:
    """These statuses, each with a problem document; any request may be one without a key."""
    return {(status, PROBLEM): ProblemShape for status in sorted({401, 403, *statuses})}


def page_of(shape: Shape) -> serializers.Serializer[object]:
    """The envelope of a list."""
    return inline_serializer(
        f"{shape.__name__.removesuffix('Shape')}Page",
        {
            "results": shape(many=True),
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
        },
    )


def _number_parameter(name: str, description: str, high: int = MAX_NUMBER) -> OpenApiParameter:
    schema = {"type": "integer", "minimum": 0, "maximum": high}
    return OpenApiParameter(name, schema, description=description)


LIMIT = OpenApiParameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    description="At most so many items.",
)
CURSOR = OpenApiParameter("cursor", OpenApiTypes.STR, description="From a link of this list.")
WINDOW = [
    LIMIT,
    _number_parameter("after", "Only numbers above this one."),
    _number_parameter("before", "Only numbers below this one."),
    OpenApiParameter("order", enum=["asc", "desc"], description="By number."),
]

LOCATION = OpenApiParameter(
    "Location",
    OpenApiTypes.URI,
    OpenApiParameter.HEADER,
    required=True,
    response=[201],
    description="The address of what was made.",
)

ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    required=True,
    response=[200, 201, 304],
    description="Names what is shown; it changes with everything that is shown, counts included.",
)
#: Of who reads an item, and of who changes it.
IF_KNOWN = [
    ETAG,
    OpenApiParameter(
        "If-None-Match",
        str,
        OpenApiParameter.HEADER,
        description="ETags that the client has, or *: 304 when the item's is one of them.",
    ),
]
#: One tag or more in double quotes, or *.
TAGS = r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$'
IF_CURRENT = [
    ETAG,
    OpenApiParameter(
        "If-Match",
        {"type": "string", "pattern": TAGS},
        OpenApiParameter.HEADER,
        description="ETags that may be changed, or *: 412 when the item's is none of them.",
    ),
]
NOT_MODIFIED = {304: OpenApiResponse(description="The client has it already.")}

#: Of every request that creates.
IDEMPOTENT = [
    OpenApiParameter(
        "Idempotency-Key",
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        OpenApiParameter.HEADER,
        description="A repeat with the same key gets the first answer, for 24 hours; with another "
        "body it is 422.",
    ),
    OpenApiParameter(
        "Idempotency-Replayed",
        OpenApiTypes.STR,
        OpenApiParameter.HEADER,
        enum=["true"],
        response=[200, 201],
        description="There where the answer is that of the first request.",
    ),
]

TOKEN = OpenApiParameter("token", {"type": "string", "pattern": "^[0-9a-f]{24}$"}, "path")
CHAT_NUMBER = OpenApiParameter("chat_number", {"type": "integer", "minimum": 1}, "path")
MESSAGE_NUMBER = OpenApiParameter("message_number", {"type": "integer", "minimum": 1}, "path")

CREATE_PROBLEMS = (400, 406, 413, 415, 422, 503)
EDIT_PROBLEMS = (400, 404, 406, 412, 413, 415, 503)


_LIMIT_HEADERS = {
    "RateLimit-Limit": "How many requests a client may send at once.",
    "RateLimit-Remaining": "How many of them are left now.",
    "RateLimit-Reset": "Seconds until all of them are there again.",
    "Retry-After": "Seconds until one more is admitted.",
}
_TOO_MANY_REQUESTS = {
    "description": "Too many requests; where a limit is set, each answer has RateLimit headers.",
    "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/ProblemShape"}}},
    "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _LIMIT_HEADERS},
}


def with_limits(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """A hook of drf-spectacular."""
    result["components"]["headers"] = {
        name: {"schema": {"type": "integer"}, "description": description}
        for name, description in _LIMIT_HEADERS.items()
    }
    result["components"]["responses"] = {"TooManyRequests": _TOO_MANY_REQUESTS}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["429"] = {"$ref": "#/components/responses/TooManyRequests"}
    return result


Endpoint = tuple[str, str, str, Any]


def without_trailing_slash(endpoints: list[Endpoint]) -> list[Endpoint]:
    """The trailing slash is optional on every route; shown is the address without it."""
    return [(path.rstrip("/"), *rest) for path, *rest in endpoints]


def with_tags(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Group each operation under what it is about: what its path names last."""
    tags = [tag["name"] for tag in result["tags"]]
    for path, operations in result["paths"].items():
        for operation in operations.values():
            operation["tags"] = [max(tags, key=path.rfind)]
    return result


#: What leads from an item that was made to the operations on it: its number or token, by the name
#: that these give it.
_MADE = {
    "applications_create": {"token": "token"},
    "applications_chats_create": {"token": "application_token", "chat_number": "chat_number"},
    "applications_chats_messages_create": {
        "token": "application_token",
        "chat_number": "chat_number",
        "message_number": "message_number",
    },
}


def with_links(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say how the answer of a create leads on (OpenAPI's links)."""
    operations = [
        operation
        for path in result["paths"].values()
        for operation in path.values()
        if "operationId" in operation
    ]
    for operation in operations:
        fields = _MADE.get(operation["operationId"])
        if fields is not None:
            operation["responses"]["201"]["links"] = {
                leads_to["operationId"]: {
                    "operationId": leads_to["operationId"],
                    "parameters": {name: f"$response.body#/{of}" for name, of in fields.items()},
                }
                for leads_to in operations
                if _path_parameters(leads_to) == set(fields)
            }
    return result


def _path_parameters(operation: dict[str, Any]) -> set[str]:
    return {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}


@cache
def _rendered(media_type: str) -> bytes:
    schema = SpectacularAPIView.generator_class().get_schema(public=True)  # type: ignore[no-untyped-call] # the library's
    renderers = (renderer() for renderer in SpectacularAPIView.renderer_classes)
    renderer = next(one for one in renderers if one.media_type == media_type)
    content = renderer.render(schema, renderer_context={})
    return content.encode() if isinstance(content, str) else content


def render_schemas() -> None:
    """Make the description in each format; to be called before the process serves.

    That takes a tenth of a second, and the library loads parts of itself at the first time, which
    fails where several threads do it at once.
    """
    for renderer in SpectacularAPIView.renderer_classes:
        _rendered(renderer.media_type)


class SchemaView(OptionsView):
    """The description itself."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = SpectacularAPIView.renderer_classes

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """In the format that the client accepts, by default YAML."""
        media_type = request.accepted_renderer.media_type
        return HttpResponse(_rendered(media_type), content_type=media_type)


# What an operator tries out needs the token of the cookie that his login has left; the API has no
# middleware that would read it.
@method_decorator(requires_csrf_token, name="dispatch")
class DocsView(OptionsView, SpectacularSwaggerSplitView):
    """Its page, on which each operation can be tried out."""

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """With a policy, as the admin's pages have it."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response[CSP_HEADER] = CSP
        return response
