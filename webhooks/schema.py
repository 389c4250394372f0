"""The OpenAPI description of the routes of webhooks."""

from drf_spectacular.utils import (
    OpenApiParameter,
    extend_schema,
    extend_schema_field,
    extend_schema_view,
)
from rest_framework import serializers

from api import openapi
from events.schema import TYPES, EventsGoneShape
from webhooks.models import MAX_URL_CHARACTERS, Outcome, State

_ID = OpenApiParameter("webhook_id", {"type": "string", "pattern": "^[0-9a-f]{24}$"}, "path")
_URL_HELP = (
    "An address with https, without user, password or fragment. It must lead to a public address; "
    "operators may allow others, also with http."
)


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,17})(\.[1-9][0-9]{0,17})?$"},
            {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
        ]
    }
)
class _After(serializers.CharField):
    """The id of an event, or its number."""


class ChangedWebhookShape(serializers.Serializer[object]):
    """At least one of these."""

    url = serializers.RegexField(
        "^https?://[!-~]+$", max_length=MAX_URL_CHARACTERS, required=False, help_text=_URL_HELP
    )
    types = serializers.ListField(
        child=serializers.ChoiceField(TYPES),
        min_length=1,
        allow_null=True,
        required=False,
        help_text="The types of events to send; null: all.",
    )
    chat_number = serializers.IntegerField(
        min_value=1,
        max_value=10**18 - 1,
        allow_null=True,
        required=False,
        help_text="Only events of this chat and its messages; null: all.",
    )
    is_active = serializers.BooleanField(
        required=False, help_text="Whether events are sent. Switching it on forgets failures."
    )


class NewWebhookRequestShape(ChangedWebhookShape):
    """A new webhook."""

    url = serializers.RegexField(
        "^https?://[!-~]+$", max_length=MAX_URL_CHARACTERS, help_text=_URL_HELP
    )
    after = _After(
        required=False,
        help_text="The id of an event: begin after it. By default it begins with what is new.",
    )


class NewWebhookFormShape(serializers.Serializer[object]):
    """A new webhook, as a form."""

    url = serializers.RegexField("^https?://[!-~]+$", max_length=MAX_URL_CHARACTERS)


class ChangedWebhookFormShape(serializers.Serializer[object]):
    """A change, as a form."""

    url = serializers.RegexField("^https?://[!-~]+$", max_length=MAX_URL_CHARACTERS, required=False)


class ReplayShape(serializers.Serializer[object]):
    """Where to go back to, or forward."""

    after = _After(
        help_text="The id of an event: what comes after it is sent, again if need be.",
    )


class WebhookShape(serializers.Serializer[object]):
    """A webhook."""

    id = serializers.CharField()
    application_token = serializers.CharField()
    url = serializers.CharField()
    types = serializers.ListField(child=serializers.ChoiceField(TYPES), allow_null=True)
    chat_number = serializers.IntegerField(min_value=1, allow_null=True)
    is_active = serializers.BooleanField()
    state = serializers.ChoiceField([str(one) for one in State])
    position = serializers.CharField(help_text="All events up to this id are delivered.")
    failing_since = serializers.DateTimeField(allow_null=True)
    last_attempt_at = serializers.DateTimeField(allow_null=True)
    last_outcome = serializers.ChoiceField([str(one) for one in Outcome], allow_null=True)
    last_status = serializers.IntegerField(allow_null=True, help_text="The status of the answer.")
    created_at = serializers.DateTimeField()


class SecretShape(serializers.Serializer[object]):
    """A new secret."""

    secret = serializers.CharField(
        allow_null=True, help_text="Signs deliveries; shown this once, to a repeat as null."
    )


class NewWebhookShape(WebhookShape, SecretShape):
    """A webhook that was just created."""


class PositionShape(serializers.Serializer[object]):
    """Where the webhook goes on."""

    position = serializers.CharField()


class TestShape(serializers.Serializer[object]):
    """A test that a worker is going to send."""

    requested_at = serializers.DateTimeField()


_ACTION_PROBLEMS = (400, 404, 406, 413, 415, 422, 503)

describe_collection = extend_schema_view(
    get=extend_schema(
        summary="List the webhooks of an application, newest first",
        operation_id="applications_webhooks_list",
        parameters=[openapi.TOKEN, openapi.LIMIT, openapi.CURSOR],
        responses={
            200: openapi.page_of(WebhookShape),
            **openapi.problem_responses(400, 404, 406, 503),
        },
    ),
    post=extend_schema(
        summary="Create a webhook",
        parameters=[openapi.TOKEN, openapi.LOCATION, openapi.ETAG, *openapi.IDEMPOTENT],
        request={openapi.JSON: NewWebhookRequestShape, openapi.FORM: NewWebhookFormShape},
        examples=openapi.for_example(
            url="https://hooks.example.org/chat", types=["message.created"]
        ),
        responses={
            201: NewWebhookShape,
            **openapi.problem_responses(404, 409, 410, *openapi.CREATE_PROBLEMS),
            (410, openapi.PROBLEM): EventsGoneShape,
        },
    ),
)
describe_item = extend_schema_view(
    get=extend_schema(
        summary="Read a webhook",
        parameters=[openapi.TOKEN, _ID, *openapi.IF_KNOWN],
        responses={
            200: WebhookShape,
            **openapi.NOT_MODIFIED,
            **openapi.problem_responses(404, 406, 503),
        },
    ),
    patch=extend_schema(
        summary="Change a webhook",
        parameters=[openapi.TOKEN, _ID, *openapi.IF_CURRENT],
        request={openapi.JSON: ChangedWebhookShape, openapi.FORM: ChangedWebhookFormShape},
        examples=openapi.for_example(is_active=False),
        responses={200: WebhookShape, **openapi.problem_responses(*openapi.EDIT_PROBLEMS)},
    ),
    delete=extend_schema(
        summary="Delete a webhook",
        parameters=[openapi.TOKEN, _ID, openapi.IF_MATCH],
        responses={204: None, **openapi.problem_responses(400, 404, 406, 412, 503)},
    ),
)
describe_secret = extend_schema_view(
    post=extend_schema(
        summary="Replace the secret of a webhook",
        parameters=[openapi.TOKEN, _ID, *openapi.IDEMPOTENT],
        request=None,
        responses={200: SecretShape, **openapi.problem_responses(*_ACTION_PROBLEMS)},
    ),
)
describe_replay = extend_schema_view(
    post=extend_schema(
        summary="Send events again",
        parameters=[openapi.TOKEN, _ID, *openapi.IDEMPOTENT],
        request=ReplayShape,
        examples=openapi.for_example(after="0"),
        responses={
            202: PositionShape,
            **openapi.problem_responses(*_ACTION_PROBLEMS),
            (410, openapi.PROBLEM): EventsGoneShape,
        },
    ),
)
describe_test = extend_schema_view(
    post=extend_schema(
        summary="Send a test message",
        parameters=[openapi.TOKEN, _ID, *openapi.IDEMPOTENT],
        request=None,
        responses={202: TestShape, **openapi.problem_responses(*_ACTION_PROBLEMS)},
    ),
)
