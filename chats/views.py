"""The routes of chats: read the request, call the service, show the result."""

from django.http import HttpResponse
from rest_framework.request import Request

from api.idempotency_key import idempotent_request
from api.responses import (
    conditional_response,
    created_response,
    expected_versions,
    json_response,
)
from api.views import ApiView
from applications.selectors import require_application
from applications.staff import note_added, note_edited
from chats import selectors, services
from chats.models import Chat
from chats.records import CHATS
from chats.schema import describe_collection, describe_item
from listing.pages import Pager, query_parameters, read_window
from listing.parent_rows import rows_of


@describe_collection
class ChatCollection(ApiView):
    """The chats of one application."""

    models = (Chat,)

    suspendable_methods = ("POST",)

    def get(self, request: Request, token: str) -> HttpResponse:
        """A page, by number."""
        parameters = query_parameters(request)
        window = read_window(parameters)
        require_application(token=token)
        pager = Pager[Chat](
            source=rows_of(Chat, (token,)),
            number_of=lambda chat: chat.chat_number,
            represent=CHATS.as_json,
        )
        return json_response(pager.page(request, parameters, window))

    def post(self, request: Request, token: str) -> HttpResponse:
        """Create one with the next number."""
        once = idempotent_request(request)
        values = CHATS.clean(request.data)
        chat = services.create_chat(application_token=token, request=once, **values)
        if staff := self.staff_user:
            note_added(staff, [chat])
        return created_response(self.http_request, chat.number, CHATS.new_as_json(chat), once)


@describe_item
class ChatItem(ApiView):
    """One chat."""

    models = (Chat,)

    def get(self, request: Request, token: str, chat_number: str) -> HttpResponse:
        """Show it."""
        chat = selectors.get_chat(application_token=token, chat_number=int(chat_number))
        return conditional_response(request, chat.version, CHATS.as_json(chat))

    def put(self, request: Request, token: str, chat_number: str) -> HttpResponse:
        """Rename it."""
        chat = services.rename_chat(
            application_token=token,
            chat_number=int(chat_number),
            expected=expected_versions(request),
            **CHATS.clean_changes(request.data),
        )
        if staff := self.staff_user:
            note_edited(staff, chat, "Name")
        return conditional_response(request, chat.version, CHATS.as_json(chat))

    patch = put
