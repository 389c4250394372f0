"""Pieces of the API's description (OpenAPI) that all routes share.

Serializers here describe and do nothing else: requests are read by core.text, answers are built by
the `representation` modules.
"""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema_field,
    inline_serializer,
)
from rest_framework import serializers

from core.http.paging import DEFAULT_LIMIT, MAX_LIMIT, MAX_NUMBER
from core.text import MAX_NAME_CHARACTERS

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


#: Not blank, by Python's idea of space, and without a NUL.
_TEXT = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085][^\u0000]*$"
#: With a character that shows something (core.text); a pattern reaches no further than U+FFFF.
_NAME = (
    r"^[^\u0000]*[^\s\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]"
    r"[^\u0000]*$"
)


def text(most_characters: int, description: str, *, pattern: str = _TEXT) -> serializers.CharField:
    """A text of a request."""
    shape = {
        "type": "string",
        "minLength": 1,
        "maxLength": most_characters,
        "pattern": pattern,
        "description": description,
    }

    @extend_schema_field(shape)
    class Text(serializers.CharField):
        pass

    return Text()


class NameShape(serializers.Serializer[object]):
    """The request that creates or renames."""

    name = text(
        MAX_NAME_CHARACTERS,
        "Space around it is taken off; something of it must be visible.",
        pattern=_NAME,
    )


def for_example(**fields: object) -> list[OpenApiExample]:
    """A request as somebody might send it."""
    return [OpenApiExample("Request", value=fields, request_only=True)]


def problems(*statuses: int) -> dict[tuple[int, str], Shape]:
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


def _number(name: str, description: str, high: int = MAX_NUMBER) -> OpenApiParameter:
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
    _number("after", "Only numbers above this one."),
    _number("before", "Only numbers below this one."),
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
ONCE = [
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
