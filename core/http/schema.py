"""Pieces of the API's description (OpenAPI) that all routes share.

Serializers here describe and do nothing else: requests are read by core.text, answers are built by
the `representation` modules.
"""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
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


class NameShape(serializers.Serializer[object]):
    """The request that creates or renames."""

    name = serializers.CharField(max_length=MAX_NAME_CHARACTERS)


def problems(*statuses: int) -> dict[tuple[int, str], Shape]:
    """These statuses, each with a problem document; any request may be one without a key."""
    return {(status, PROBLEM): ProblemShape for status in sorted({401, *statuses})}


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
    response=[201],
    description="The address of what was made.",
)

TOKEN = OpenApiParameter("token", {"type": "string", "pattern": "^[0-9a-f]{24}$"}, "path")
CHAT_NUMBER = OpenApiParameter("chat_number", {"type": "integer", "minimum": 1}, "path")
MESSAGE_NUMBER = OpenApiParameter("message_number", {"type": "integer", "minimum": 1}, "path")

CREATE_PROBLEMS = (400, 406, 413, 415, 503)
