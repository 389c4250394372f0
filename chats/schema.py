"""The OpenAPI description of the routes of chats."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view

from api import openapi
from chats.records import CHATS


class ChatShape(openapi.RowShape):
    """A chat."""

    record_type = CHATS


_CHAT = openapi.row_request("NewChat", CHATS)


def _edit(summary: str, request: dict[str, openapi.Shape]) -> Any:
    return extend_schema(
        summary=summary,
        parameters=[openapi.TOKEN, openapi.CHAT_NUMBER, *openapi.IF_CURRENT],
        request=request,
        examples=openapi.for_example(name="Order 17, delivered"),
        responses={200: ChatShape, **openapi.problem_responses(*openapi.EDIT_PROBLEMS)},
    )


describe_collection = extend_schema_view(
    get=extend_schema(
        summary="List the chats of an application",
        operation_id="applications_chats_list",
        parameters=[openapi.TOKEN, *openapi.WINDOW],
        responses={
            200: openapi.page_of(ChatShape),
            **openapi.problem_responses(400, 404, 406, 503),
        },
    ),
    post=extend_schema(
        summary="Create a chat",
        parameters=[openapi.TOKEN, openapi.LOCATION, openapi.ETAG, *openapi.IDEMPOTENT],
        request=_CHAT,
        examples=openapi.for_example(name="Order 17", metadata={"customer": 4711}),
        responses={201: ChatShape, **openapi.problem_responses(404, *openapi.CREATE_PROBLEMS)},
    ),
)
describe_item = extend_schema_view(
    get=extend_schema(
        summary="Read a chat",
        parameters=[openapi.TOKEN, openapi.CHAT_NUMBER, *openapi.IF_KNOWN],
        responses={
            200: ChatShape,
            **openapi.NOT_MODIFIED,
            **openapi.problem_responses(404, 406, 503),
        },
    ),
    put=_edit("Edit all fields of a chat", _CHAT),
    patch=_edit(
        "Edit some fields of a chat", openapi.row_request("ChangedChat", CHATS, is_change=True)
    ),
)
