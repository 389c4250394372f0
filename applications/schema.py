"""How the routes of applications are described."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from applications import security  # noqa: F401 - found once it is imported
from core.http import schema


class ApplicationShape(serializers.Serializer[object]):
    """An application."""

    token = serializers.CharField()
    name = serializers.CharField()
    chats_count = serializers.IntegerField(help_text="True after the hourly count.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class NewApplicationShape(ApplicationShape):
    """An application that was just created."""

    key = serializers.CharField(
        allow_null=True, help_text="Opens the application; shown this once, to a repeat as null."
    )


class KeyShape(serializers.Serializer[object]):
    """A new key."""

    key = serializers.CharField(
        allow_null=True, help_text="Opens the application; shown this once, to a repeat as null."
    )


_rename = extend_schema(
    summary="Rename an application",
    parameters=[schema.TOKEN, *schema.IF_CURRENT],
    request=schema.NameShape,
    examples=schema.for_example(name="Help desk"),
    responses={200: ApplicationShape, **schema.problems(*schema.EDIT_PROBLEMS)},
)

describe_collection = extend_schema_view(
    get=extend_schema(
        summary="List applications, newest first",
        operation_id="applications_list",
        parameters=[schema.LIMIT, schema.CURSOR],
        responses={200: schema.page_of(ApplicationShape), **schema.problems(400, 403, 406, 503)},
    ),
    post=extend_schema(
        summary="Create an application",
        parameters=[schema.LOCATION, schema.ETAG, *schema.ONCE],
        request=schema.NameShape,
        examples=schema.for_example(name="Support desk"),
        responses={
            201: NewApplicationShape,
            **schema.problems(403, *schema.CREATE_PROBLEMS),
        },
    ),
)
describe_item = extend_schema_view(
    get=extend_schema(
        summary="Read an application",
        parameters=[schema.TOKEN, *schema.IF_KNOWN],
        responses={
            200: ApplicationShape,
            **schema.NOT_MODIFIED,
            **schema.problems(404, 406, 503),
        },
    ),
    put=_rename,
    patch=_rename,
)
describe_key = extend_schema_view(
    post=extend_schema(
        summary="Replace the key of an application",
        parameters=[schema.TOKEN, *schema.ONCE],
        request=None,
        responses={200: KeyShape, **schema.problems(400, 404, 406, 413, 415, 422, 503)},
    ),
)
