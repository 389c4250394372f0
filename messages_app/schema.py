"""The OpenAPI description of the routes of messages."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import serializers

from api import openapi
from ingest.fields import MAX_NAME_CHARACTERS, NAME_PATTERN
from messages_app.records import MESSAGES

#: Messages in one request that creates many.
MAX_MESSAGES = 500

#: The parameters of lists and searches that messages_app.filters reads.
FILTERS = [
    OpenApiParameter(
        "created_after",
        OpenApiTypes.DATETIME,
        description="Only messages created after this time, given with its offset.",
    ),
    OpenApiParameter(
        "created_before", OpenApiTypes.DATETIME, description="Only messages created before it."
    ),
    OpenApiParameter(
        "sender",
        {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_NAME_CHARACTERS,
            "pattern": NAME_PATTERN,
        },
        description="Only messages of exactly this sender.",
    ),
]

_CHAT = [openapi.TOKEN, openapi.CHAT_NUMBER]
_MESSAGE = [*_CHAT, openapi.MESSAGE_NUMBER]


_NEW = openapi.row_request("NewMessage", MESSAGES)


class BulkShape(serializers.Serializer[object]):
    """The request that creates many."""

    messages = serializers.ListField(
        child=_NEW[openapi.JSON](), min_length=1, max_length=MAX_MESSAGES
    )


class MessageShape(openapi.RowShape):
    """A message."""

    record_type = MESSAGES


class BulkCreatedShape(serializers.Serializer[object]):
    """The new messages, in the order of the request."""

    results = MessageShape(many=True)


def _edit(summary: str, request: dict[str, openapi.Shape]) -> Any:
    return extend_schema(
        summary=summary,
        parameters=[*_MESSAGE, *openapi.IF_CURRENT],
        request=request,
        examples=openapi.for_example(body="It left the warehouse today 📦"),
        responses={200: MessageShape, **openapi.problem_responses(409, *openapi.EDIT_PROBLEMS)},
    )


describe_collection = extend_schema_view(
    get=extend_schema(
        summary="List the messages of a chat",
        operation_id="applications_chats_messages_list",
        parameters=[*_CHAT, *openapi.WINDOW, *FILTERS],
        responses={
            200: openapi.page_of(MessageShape),
            **openapi.problem_responses(400, 404, 406, 503),
        },
    ),
    post=extend_schema(
        summary="Create a message",
        parameters=[*_CHAT, openapi.LOCATION, openapi.ETAG, *openapi.IDEMPOTENT],
        request=_NEW,
        examples=openapi.for_example(
            body="Good morning! Where is my order?",
            sender="Amira",
            metadata={"client_id": "b7f3", "attachments": []},
        ),
        responses={201: MessageShape, **openapi.problem_responses(404, *openapi.CREATE_PROBLEMS)},
    ),
)
describe_bulk = extend_schema_view(
    post=extend_schema(
        summary="Create many messages, with consecutive numbers, all of them or none",
        operation_id="applications_chats_messages_bulk_create",
        parameters=[*_CHAT, *openapi.IDEMPOTENT],
        request={"application/json": BulkShape},
        examples=openapi.for_example(
            messages=[
                {"body": "It left the warehose today 📦", "sender": "Tom"},
                {"body": "どうもありがとう"},
            ]
        ),
        responses={
            201: BulkCreatedShape,
            **openapi.problem_responses(404, *openapi.CREATE_PROBLEMS),
        },
    )
)
describe_item = extend_schema_view(
    get=extend_schema(
        summary="Read a message",
        parameters=[*_MESSAGE, *openapi.IF_KNOWN],
        responses={
            200: MessageShape,
            **openapi.NOT_MODIFIED,
            **openapi.problem_responses(404, 406, 503),
        },
    ),
    put=_edit("Edit all fields of a message", _NEW),
    patch=_edit(
        "Edit some fields of a message",
        openapi.row_request("ChangedMessage", MESSAGES, is_change=True),
    ),
    delete=extend_schema(
        summary="Erase a message",
        description="Body, sender and metadata are gone for good, also of a message that is not "
        "stored yet. The number stays taken, and the message shows when it was erased. "
        "A repeat does nothing.",
        parameters=[*_MESSAGE, openapi.IF_MATCH],
        responses={
            204: OpenApiResponse(description="It is erased."),
            **openapi.problem_responses(400, 404, 406, 412, 503),
        },
    ),
)
