"""Parts of the OpenAPI description that routes share: shapes, parameters, headers, problems.

Serializers here only describe the API: ingest.fields validates requests, and the views build the
responses. api.openapi_document puts the whole document together.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema_field,
    inline_serializer,
)
from rest_framework import serializers

from ingest.fields import ANY_TEXT_PATTERN, NAME, Field
from ingest.read_your_writes import MAX_NUMBER
from ingest.records import RecordType
from listing.pages import DEFAULT_LIMIT, MAX_LIMIT

PROBLEM = "application/problem+json"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
Shape = type[serializers.Serializer[object]]


class FieldErrorShape(serializers.Serializer[object]):
    """An error of one field."""

    field = serializers.CharField(help_text="The name of the field, as the client sent it.")
    code = serializers.CharField(help_text="For programs.")
    message = serializers.CharField(help_text="For people.")


class ProblemShape(serializers.Serializer[object]):
    """A problem document (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField(help_text="The path of the request.")
    request_id = serializers.CharField(help_text="Also in the header X-Request-ID and in the logs.")
    errors = FieldErrorShape(many=True)  # type: ignore[assignment] # a field, not the property


#: What metadata may contain at any depth: numbers that no parser changes, and texts without NUL.
JSON_VALUE = "JsonValue"
_JSON_PARTS = {
    "propertyNames": {"pattern": ANY_TEXT_PATTERN},
    "additionalProperties": {"$ref": f"#/components/schemas/{JSON_VALUE}"},
}
JSON_SCHEMA = {
    "type": ["object", "array", "string", "number", "boolean", "null"],
    "description": "Any JSON.",
    "pattern": ANY_TEXT_PATTERN,
    "exclusiveMinimum": -(2**63),
    "exclusiveMaximum": 2**64,
    "items": {"$ref": f"#/components/schemas/{JSON_VALUE}"},
    **_JSON_PARTS,
}


def given_field(field: Field, *, is_required: bool) -> serializers.CharField:
    """Describe a field of a request."""
    shape: dict[str, object] = {"type": "object", **_JSON_PARTS}
    if not field.is_json:
        shape = {
            "type": "string",
            "minLength": 1,
            "maxLength": field.most,
            "pattern": field.pattern,
        }
    if not field.is_required:
        shape["type"] = [shape["type"], "null"]

    @extend_schema_field(shape | {"description": field.description})
    class Given(serializers.CharField):
        pass

    return Given(required=is_required)


def shown_field(field: Field, *, is_erasable: bool) -> serializers.Field[Any, Any, Any, Any]:
    """Describe a field of a row; all fields of an erased one are null."""
    is_nullable = is_erasable or not field.is_required
    if field.is_json:
        return serializers.DictField(allow_null=is_nullable)
    return serializers.CharField(allow_null=is_nullable)


def given_shape(name: str, fields: Iterable[Field], *, is_change: bool = False) -> Shape:
    """Describe a request that gives these fields; one that changes a row may give some of them."""
    given = {
        each.name: given_field(each, is_required=each.is_required and not is_change)
        for each in fields
    }
    about = f"At least one of {', '.join(given)}." if is_change else "The fields of a row."
    return type(name, (serializers.Serializer,), {"__doc__": about, **given})


def row_request(name: str, record_type: RecordType, *, is_change: bool = False) -> dict[str, Shape]:
    """Describe a request that gives the fields of a row, as JSON or as a form without objects."""
    of_form = [each for each in record_type.fields if not each.is_json]
    return {
        JSON: given_shape(f"{name}Shape", record_type.fields, is_change=is_change),
        FORM: given_shape(f"{name}FormShape", of_form, is_change=is_change),
    }


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
        for each in record_type.fields:
            shown[each.name] = shown_field(each, is_erasable=record_type.is_erasable)
        if record_type.child_count_field:
            text = "True after the hourly count."
            shown[record_type.child_count_field] = serializers.IntegerField(help_text=text)
        shown["created_at"] = serializers.DateTimeField()
        shown["updated_at"] = serializers.DateTimeField()
        if record_type.is_erasable:
            text = "Present once it is erased; its own values are null then."
            shown["erased_at"] = serializers.DateTimeField(required=False, help_text=text)
        return {**shown, **super().get_fields()}

    def _key_part(self, name: str) -> serializers.Field[Any, Any, Any, Any]:
        if self.record_type.key.__annotations__[name] is int:
            return serializers.IntegerField(min_value=1)
        return serializers.CharField()


#: The body of a request that creates or renames.
NameShape = given_shape("NameShape", [NAME])


def for_example(**fields: object) -> list[OpenApiExample]:
    """Give an example of a request body."""
    return [OpenApiExample("Request", value=fields, request_only=True)]


def problem_responses(*statuses: int) -> dict[tuple[int, str], Shape]:
    """Describe these statuses, and 401 and 403, each with a problem document."""
    return {(status, PROBLEM): ProblemShape for status in sorted({401, 403, *statuses})}


def page_of(shape: Shape) -> serializers.Serializer[object]:
    """Describe a page of a list."""
    return inline_serializer(
        f"{shape.__name__.removesuffix('Shape')}Page",
        {
            "results": shape(many=True),
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
        },
    )


def _number_parameter(name: str, description: str) -> OpenApiParameter:
    schema = {"type": "integer", "minimum": 0, "maximum": MAX_NUMBER}
    return OpenApiParameter(name, schema, description=description)


LIMIT = OpenApiParameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    description="The maximum number of items.",
)
CURSOR = OpenApiParameter("cursor", OpenApiTypes.STR, description="From a link of this list.")
WINDOW = [
    LIMIT,
    _number_parameter("after", "Only numbers above this one."),
    _number_parameter("before", "Only numbers below this one."),
    OpenApiParameter("order", enum=["asc", "desc"], description="The order, by number."),
]

LOCATION = OpenApiParameter(
    "Location",
    OpenApiTypes.URI,
    OpenApiParameter.HEADER,
    required=True,
    response=[201],
    description="The address of the new item.",
)

ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    required=True,
    response=[200, 201, 304],
    description="Changes with each change of the representation, counts included.",
)
#: The headers of reads of an item.
IF_KNOWN = [
    ETAG,
    OpenApiParameter(
        "If-None-Match",
        str,
        OpenApiParameter.HEADER,
        description="ETags that the client has, or *: 304 if the item has one of them.",
    ),
]
#: One or more tags in double quotes, or *.
TAGS = r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$'
IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string", "pattern": TAGS},
    OpenApiParameter.HEADER,
    description="ETags that the change applies to, or *: 412 if the item has none of them.",
)
#: The headers of edits of an item.
IF_CURRENT = [ETAG, IF_MATCH]
NOT_MODIFIED = {304: OpenApiResponse(description="The client has the current item.")}

#: The headers of every create.
IDEMPOTENT = [
    OpenApiParameter(
        "Idempotency-Key",
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        OpenApiParameter.HEADER,
        description="A repeat with the same key gets the first response, for 24 hours; with "
        "another body it is 422.",
    ),
    OpenApiParameter(
        "Idempotency-Replayed",
        OpenApiTypes.STR,
        OpenApiParameter.HEADER,
        enum=["true"],
        response=[200, 201, 202],
        description="Present if the response is that of the first request.",
    ),
]

TOKEN = OpenApiParameter("token", {"type": "string", "pattern": "^[0-9a-f]{24}$"}, "path")
CHAT_NUMBER = OpenApiParameter("chat_number", {"type": "integer", "minimum": 1}, "path")
MESSAGE_NUMBER = OpenApiParameter("message_number", {"type": "integer", "minimum": 1}, "path")

CREATE_PROBLEMS = (400, 406, 413, 415, 422, 503)
EDIT_PROBLEMS = (400, 404, 406, 412, 413, 415, 503)
