"""The routes of messages, whole: one comparison finds each."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from django.urls import re_path
from django.utils import timezone
from rest_framework.request import Request

from api.requests import expected_versions, idempotent_request
from api.views import (
    APPLICATIONS,
    CHAT_NUMBER,
    MESSAGE_NUMBER,
    TOKEN,
    ApiView,
    created_many_response,
)
from applications.record_views import RecordCollection, RecordItem, key_of
from infra.errors import FieldError, Invalid
from ingest.commit import accept_all
from ingest.erasure import erase
from ingest.fields import Value, required_value
from ingest.records import Key
from listing.pages import Source
from messages_app.filtered_list import FilteredMessages
from messages_app.filters import FILTER_NAMES, read_filters
from messages_app.models import Message
from messages_app.records import MESSAGES
from messages_app.schema import MAX_MESSAGES, describe_bulk, describe_collection, describe_item
from operations.admin.log import note_added, note_erased

_LIST = "messages"


@describe_collection
class MessageCollection(RecordCollection):
    """The messages of one chat."""

    record_type = MESSAGES
    models = (Message,)
    filters = FILTER_NAMES

    def filtered(self, parent: Key, parameters: Mapping[str, str]) -> Source[Any]:
        """The messages that the filters select. Raises Invalid."""
        return FilteredMessages(parent, read_filters(parameters))


@describe_bulk
class MessageBulk(ApiView):
    """Many new messages at once."""

    models = (Message,)
    max_request_bytes = 4 * 1024 * 1024

    def post(self, request: Request, **address: str) -> HttpResponse:
        """Create all of them with consecutive numbers, or none."""
        once = idempotent_request(request)
        chat, now = key_of(address), timezone.now()
        new = [
            MESSAGES.new(chat, accepted_at=now, **values) for values in clean_messages(request.data)
        ]
        rows = accept_all(new, once)
        if staff := self.staff_user:
            note_added(staff, rows)
        shown = [MESSAGES.as_json(MESSAGES.show_new(row)) for row in rows]
        return created_many_response(shown, once)


@describe_item
class MessageItem(RecordItem):
    """One message."""

    record_type = MESSAGES
    models = (Message,)

    def delete(self, request: Request, **address: str) -> HttpResponse:
        """Erase it: its number and times stay."""
        key = key_of(address)
        is_first = erase(MESSAGES, key, expected_versions(request))
        if is_first and (staff := self.staff_user):
            note_erased(staff, MESSAGES.rows(key).get())
        response = HttpResponse(status=HTTPStatus.NO_CONTENT)
        del response["Content-Type"]
        return response


def clean_messages(data: object) -> list[dict[str, Value]]:
    """The values of `{"messages": [{"body": ...}, ...]}`. Raises Invalid with all that is wrong."""
    messages = required_value(data, _LIST)
    if not isinstance(messages, list):
        raise Invalid(FieldError(_LIST, "type", f"{_LIST} must be a list."))
    if not 1 <= len(messages) <= MAX_MESSAGES:
        message = f"{_LIST} must have 1 to {MAX_MESSAGES} items."
        raise Invalid(FieldError(_LIST, "length", message))
    errors: list[FieldError] = []
    cleaned: list[dict[str, Value]] = []
    for place, one in enumerate(messages):
        try:
            cleaned.append(MESSAGES.clean(one))
        except Invalid as invalid:
            errors += _errors_at(place, invalid)
    if errors:
        raise Invalid(*errors)
    return cleaned


def _errors_at(place: int, invalid: Invalid) -> Iterator[FieldError]:
    """The same errors, with the place in the list in the name of each field."""
    for error in invalid.errors:
        name = f"{_LIST}[{place}]" + (f".{error.field}" if error.field else "")
        yield FieldError(name, error.code, error.message)


_MESSAGES = rf"{APPLICATIONS}/{TOKEN}/chats/{CHAT_NUMBER}/messages"

urlpatterns = [
    re_path(rf"{_MESSAGES}/?\Z", MessageCollection.as_view()),
    re_path(rf"{_MESSAGES}/bulk/?\Z", MessageBulk.as_view()),
    re_path(rf"{_MESSAGES}/{MESSAGE_NUMBER}/?\Z", MessageItem.as_view()),
]
