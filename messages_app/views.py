"""The routes of messages: read the request, call the service, show the result."""

from django.http import HttpResponse
from rest_framework.request import Request

from api.idempotency_key import idempotent_request
from api.responses import (
    conditional_response,
    created_many_response,
    created_response,
    expected_versions,
    json_response,
)
from api.views import ApiView
from applications.staff import note_added, note_edited
from chats.selectors import require_chat
from listing.pages import Pager, query_parameters, read_window
from listing.parent_rows import rows_of
from messages_app import selectors, services
from messages_app.bulk import MAX_BULK_BYTES, clean_messages
from messages_app.models import Message
from messages_app.records import MESSAGES
from messages_app.schema import describe_bulk, describe_collection, describe_item


@describe_collection
class MessageCollection(ApiView):
    """The messages of one chat."""

    models = (Message,)

    suspendable_methods = ("POST",)

    def get(self, request: Request, token: str, chat_number: str) -> HttpResponse:
        """A page, by number."""
        parameters = query_parameters(request)
        window = read_window(parameters)
        require_chat(application_token=token, chat_number=int(chat_number))
        pager = Pager[Message](
            source=rows_of(Message, (token, int(chat_number))),
            number_of=lambda message: message.message_number,
            represent=MESSAGES.as_json,
        )
        return json_response(pager.page(request, parameters, window))

    def post(self, request: Request, token: str, chat_number: str) -> HttpResponse:
        """Create one with the next number."""
        once = idempotent_request(request)
        message = services.create_message(
            application_token=token,
            chat_number=int(chat_number),
            request=once,
            **MESSAGES.clean(request.data),
        )
        if staff := self.staff_user:
            note_added(staff, [message])
        return created_response(
            self.http_request, message.number, MESSAGES.new_as_json(message), once
        )


@describe_bulk
class MessageBulk(ApiView):
    """Many new messages at once."""

    models = (Message,)

    max_request_bytes = MAX_BULK_BYTES

    def post(self, request: Request, token: str, chat_number: str) -> HttpResponse:
        """Create all of them with consecutive numbers, or none."""
        once = idempotent_request(request)
        messages = services.create_messages(
            application_token=token,
            chat_number=int(chat_number),
            messages=clean_messages(request.data),
            request=once,
        )
        if staff := self.staff_user:
            note_added(staff, messages)
        return created_many_response(list(map(MESSAGES.new_as_json, messages)), once)


@describe_item
class MessageItem(ApiView):
    """One message."""

    models = (Message,)

    def get(
        self, request: Request, token: str, chat_number: str, message_number: str
    ) -> HttpResponse:
        """Show it."""
        message = selectors.get_message(
            application_token=token,
            chat_number=int(chat_number),
            message_number=int(message_number),
        )
        return conditional_response(request, message.version, MESSAGES.as_json(message))

    def put(
        self, request: Request, token: str, chat_number: str, message_number: str
    ) -> HttpResponse:
        """Edit its body."""
        message = services.edit_message(
            application_token=token,
            chat_number=int(chat_number),
            message_number=int(message_number),
            expected=expected_versions(request),
            **MESSAGES.clean_changes(request.data),
        )
        if staff := self.staff_user:
            note_edited(staff, message, "Body")
        return conditional_response(request, message.version, MESSAGES.as_json(message))

    patch = put
