"""The OpenAPI description of the routes of applications, and of the two ways to authenticate."""

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from api import openapi


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # the library's
    """A key."""

    target_class = "applications.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, object]:
        """The header."""
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The key of the application, or an operator's. Not needed where "
            "REQUIRE_KEYS is off.",
        }


class StaffScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # the library's
    """A login."""

    target_class = "applications.authentication.StaffSession"
    name = "staff"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, object]:
        """The cookie."""
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The admin's session of a member of the staff, who needs the same "
            "permissions as there. Changes need the header X-CSRFToken as well.",
        }


class ApplicationShape(serializers.Serializer[object]):
    """An application."""

    token = serializers.CharField()
    name = serializers.CharField()
    chats_count = serializers.IntegerField(help_text="True after the hourly count.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class KeyShape(serializers.Serializer[object]):
    """A new key."""

    key = serializers.CharField(
        allow_null=True, help_text="Opens the application; shown this once, to a repeat as null."
    )


class NewApplicationShape(ApplicationShape, KeyShape):
    """An application that was just created."""


_rename = extend_schema(
    summary="Rename an application",
    parameters=[openapi.TOKEN, *openapi.IF_CURRENT],
    request=openapi.NameShape,
    examples=openapi.for_example(name="Help desk"),
    responses={200: ApplicationShape, **openapi.problem_responses(*openapi.EDIT_PROBLEMS)},
)

describe_collection = extend_schema_view(
    get=extend_schema(
        summary="List applications, newest first",
        operation_id="applications_list",
        parameters=[openapi.LIMIT, openapi.CURSOR],
        responses={
            200: openapi.page_of(ApplicationShape),
            **openapi.problem_responses(400, 403, 406, 503),
        },
    ),
    post=extend_schema(
        summary="Create an application",
        parameters=[openapi.LOCATION, openapi.ETAG, *openapi.IDEMPOTENT],
        request=openapi.NameShape,
        examples=openapi.for_example(name="Support desk"),
        responses={
            201: NewApplicationShape,
            **openapi.problem_responses(403, *openapi.CREATE_PROBLEMS),
        },
    ),
)
describe_item = extend_schema_view(
    get=extend_schema(
        summary="Read an application",
        parameters=[openapi.TOKEN, *openapi.IF_KNOWN],
        responses={
            200: ApplicationShape,
            **openapi.NOT_MODIFIED,
            **openapi.problem_responses(404, 406, 503),
        },
    ),
    put=_rename,
    patch=_rename,
)
describe_key = extend_schema_view(
    post=extend_schema(
        summary="Replace the key of an application",
        parameters=[openapi.TOKEN, *openapi.IDEMPOTENT],
        request=None,
        responses={200: KeyShape, **openapi.problem_responses(400, 404, 406, 413, 415, 422, 503)},
    ),
)
