"""The OpenAPI description of the route of events."""

from drf_spectacular.utils import (
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)
from rest_framework import serializers

from api import openapi
from applications.schema import ApplicationShape
from chats.schema import ChatShape
from messages_app.schema import MessageShape

TYPES = [
    "application.updated",
    "chat.created",
    "chat.updated",
    "message.created",
    "message.updated",
    "message.erased",
]
POSITION_PATTERN = r"^(0|[1-9][0-9]{0,17})(\.[1-9][0-9]{0,17})?$"
AFTER = OpenApiParameter(
    "after",
    {"type": "string", "pattern": POSITION_PATTERN},
    description="The id of an event: only events after it; 0: from the first one on.",
)


class EventShape(serializers.Serializer[object]):
    """An event, with its item as it is now."""

    id = serializers.CharField(help_text="For `after`.")
    event_number = serializers.IntegerField(min_value=1)
    type = serializers.ChoiceField(TYPES)
    created_at = serializers.DateTimeField(help_text="When it was stored.")
    chat_number = serializers.IntegerField(
        min_value=1, required=False, help_text="Of events of chats and messages."
    )
    application = ApplicationShape(required=False)
    chat = ChatShape(required=False, allow_null=True)
    message = MessageShape(required=False, allow_null=True, help_text="Null once it is purged.")


class EventsGoneShape(openapi.ProblemShape):
    """A problem document with the number of the lowest event that is kept."""

    lowest_event_number = serializers.IntegerField(min_value=1)


describe_events = extend_schema_view(
    get=extend_schema(
        summary="List what happened in an application, oldest first",
        operation_id="applications_events_list",
        parameters=[openapi.TOKEN, openapi.LIMIT, AFTER],
        responses={
            200: openapi.page_of(EventShape),
            **openapi.problem_responses(400, 404, 406, 410, 503),
            (410, openapi.PROBLEM): EventsGoneShape,
        },
    )
)
