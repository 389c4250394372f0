"""The OpenAPI description of the search routes."""

from typing import Any

from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)
from rest_framework import serializers

from api import openapi
from messages_app.schema import FILTERS, MessageShape
from search.service import MAX_QUERY_CHARACTERS


class HitShape(MessageShape):
    """A message that contains the query."""

    highlight = serializers.CharField(
        help_text="The body as HTML, hits between <mark> tags; of a very long one an excerpt."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Those of a message that is not erased."""
        fields = super().get_fields()
        del fields["erased_at"]
        return fields


_QUERY = OpenApiParameter(
    "query",
    {"type": "string", "minLength": 1, "maxLength": MAX_QUERY_CHARACTERS},
    required=True,
    description="Any part of the text, not trimmed; upper and lower case are alike, and so are "
    "canonically equivalent forms (NFC, NFD).",
    examples=[OpenApiExample("Part of a word", value="hous")],
)
_BACKEND = OpenApiParameter(
    "Search-Backend",
    str,
    OpenApiParameter.HEADER,
    required=True,
    enum=["elasticsearch", "database"],
    response=[200],
    description="Who answered; the hits are the same.",
)

_HITS = openapi.page_of(HitShape)
_PROBLEMS = openapi.problem_responses(400, 404, 406, 503)

describe_search = extend_schema_view(
    get=extend_schema(
        summary="Search the messages of a chat, newest first",
        operation_id="applications_chats_messages_search",
        parameters=[
            openapi.TOKEN,
            openapi.CHAT_NUMBER,
            _QUERY,
            *openapi.WINDOW,
            *FILTERS,
            _BACKEND,
        ],
        responses={200: _HITS, **_PROBLEMS},
    )
)
describe_application_search = extend_schema_view(
    get=extend_schema(
        summary="Search the messages of all chats of an application, newest first",
        operation_id="applications_messages_search",
        parameters=[openapi.TOKEN, _QUERY, openapi.CURSOR, openapi.LIMIT, *FILTERS, _BACKEND],
        responses={200: _HITS, **_PROBLEMS},
    )
)
