"""How the routes of chats are described."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from core.http import schema


class ChatShape(serializers.Serializer[object]):
    """A chat."""

    chat_number = serializers.IntegerField(min_value=1)
    application_token = serializers.CharField()
    name = serializers.CharField()
    messages_count = serializers.IntegerField(help_text="True after the hourly count.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


_rename = extend_schema(
    summary="Rename a chat",
    parameters=[schema.TOKEN, schema.CHAT_NUMBER, *schema.IF_CURRENT],
    request=schema.NameShape,
    examples=schema.for_example(name="Order 17, delivered"),
    responses={200: ChatShape, **schema.problems(*schema.EDIT_PROBLEMS)},
)

describe_collection = extend_schema_view(
    get=extend_schema(
        summary="List the chats of an application",
        operation_id="applications_chats_list",
        parameters=[schema.TOKEN, *schema.WINDOW],
        responses={200: schema.page_of(ChatShape), **schema.problems(400, 404, 406, 503)},
    ),
    post=extend_schema(
        summary="Create a chat",
        parameters=[schema.TOKEN, schema.LOCATION, schema.ETAG, *schema.ONCE],
        request=schema.NameShape,
        examples=schema.for_example(name="Order 17"),
        responses={201: ChatShape, **schema.problems(404, *schema.CREATE_PROBLEMS)},
    ),
)
describe_item = extend_schema_view(
    get=extend_schema(
        summary="Read a chat",
        parameters=[schema.TOKEN, schema.CHAT_NUMBER, *schema.IF_KNOWN],
        responses={
            200: ChatShape,
            **schema.NOT_MODIFIED,
            **schema.problems(404, 406, 503),
        },
    ),
    put=_rename,
    patch=_rename,
)
