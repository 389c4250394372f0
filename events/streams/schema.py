"""The OpenAPI description of the routes of streams and of their tokens."""

from typing import Any

from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import serializers

from api import openapi
from events.schema import AFTER, POSITION_PATTERN
from events.streams.tokens import LONGEST_SECONDS, PARAMETER

_PARAMETERS = [
    AFTER,
    OpenApiParameter(
        "Last-Event-ID",
        {"type": "string", "pattern": POSITION_PATTERN},
        OpenApiParameter.HEADER,
        description="The id of the last event that the client has seen; counts before `after`.",
    ),
    OpenApiParameter(
        PARAMETER,
        str,
        description="A stream token, in place of a key: EventSource cannot send headers.",
    ),
]
_FRAMES = OpenApiResponse(
    {"type": "string"},
    description="Server-Sent Events: the entries of the log, as `events` lists them.",
    examples=[
        OpenApiExample(
            "A new message",
            "id: 17\nevent: message.created\n"
            'data: {"id":"17","event_number":17,"type":"message.created"}\n\n',
            media_type="text/event-stream",
        )
    ],
)


def _stream(summary: str, operation_id: str, *path: OpenApiParameter) -> Any:
    return extend_schema_view(
        get=extend_schema(
            summary=summary,
            operation_id=operation_id,
            parameters=[*path, *_PARAMETERS],
            responses={
                (200, "text/event-stream"): _FRAMES,
                **openapi.problem_responses(400, 401, 403, 404, 406, 429, 503),
            },
        )
    )


describe_stream = _stream(
    "Hear what happens in an application", "applications_stream", openapi.TOKEN
)
describe_chat_stream = _stream(
    "Hear what happens in a chat",
    "applications_chats_stream",
    openapi.TOKEN,
    openapi.CHAT_NUMBER,
)


class NewStreamTokenShape(serializers.Serializer[object]):
    """What a token is to open."""

    chat_number = serializers.IntegerField(
        min_value=1, required=False, help_text="One chat; without it the whole application."
    )
    seconds = serializers.IntegerField(
        min_value=1, max_value=LONGEST_SECONDS, required=False, default=LONGEST_SECONDS
    )


class StreamTokenShape(serializers.Serializer[object]):
    """A stream token."""

    token = serializers.CharField(help_text=f"For `{PARAMETER}` of a stream.")
    expires_at = serializers.DateTimeField(help_text="A stream that is open then ends.")


describe_stream_tokens = extend_schema_view(
    post=extend_schema(
        summary="Make a stream token",
        parameters=[openapi.TOKEN, *openapi.IDEMPOTENT],
        request=NewStreamTokenShape,
        examples=openapi.for_example(chat_number=1, seconds=600),
        responses={
            201: StreamTokenShape,
            **openapi.problem_responses(404, *openapi.CREATE_PROBLEMS),
        },
    )
)
