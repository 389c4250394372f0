"""The routes of chats: read the request, call the service, show the result."""

from django.http import HttpResponse
from rest_framework.request import Request

from applications.selectors import require_application
from applications.staff import note_added, note_edited
from chats import selectors, services
from chats.models import Chat
from chats.representation import represent_chat, represent_new_chat
from chats.schema import describe_collection, describe_item
from core.http.answers import answer
from core.http.conditional import expected_versions, shown
from core.http.merged import accepted_rows
from core.http.paging import Pager, read_window
from core.http.parsers import query_parameters
from core.http.repeats import repeatable
from core.http.views import ApiView, created
from core.text import clean_name, field


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
            source=accepted_rows(Chat, (token,)),
            number_of=lambda chat: chat.chat_number,
            represent=represent_chat,
        )
        return answer(pager.page(request, parameters, window))

    def post(self, request: Request, token: str) -> HttpResponse:
        """Create one with the next number."""
        once = repeatable(request)
        name = clean_name(field(request.data, "name"))
        chat = services.create_chat(application_token=token, name=name, request=once)
        note_added(request, [chat])
        return created(request, chat.number, represent_new_chat(chat), once)


@describe_item
class ChatItem(ApiView):
    """One chat."""

    models = (Chat,)

    def get(self, request: Request, token: str, chat_number: str) -> HttpResponse:
        """Show it."""
        chat = selectors.get_chat(application_token=token, chat_number=int(chat_number))
        return shown(request, chat.version, represent_chat(chat))

    def put(self, request: Request, token: str, chat_number: str) -> HttpResponse:
        """Rename it."""
        chat = services.rename_chat(
            application_token=token,
            chat_number=int(chat_number),
            name=clean_name(field(request.data, "name")),
            expected=expected_versions(request),
        )
        note_edited(request, chat, "Name")
        return shown(request, chat.version, represent_chat(chat))

    patch = put
