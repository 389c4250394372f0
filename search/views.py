"""The search route of the API, as one regular expression so that a single match finds it."""

from django.http import HttpResponse
from django.urls import re_path
from rest_framework.request import Request

from api.responses import json_response
from api.views import APPLICATIONS, CHAT_NUMBER, TOKEN, ApiView
from chats.models import Chat
from listing.pages import Pager, Source, query_parameters, read_window
from messages_app.models import Message
from messages_app.records import MESSAGES
from search.fold_and_highlight import highlight
from search.schema import describe_search
from search.service import clean_query, search


@describe_search
class MessageSearch(ApiView):
    """The messages of one chat that contain a text."""

    database_methods = ()  # the index alone may be enough
    models = (Chat, Message)  # the same as for the conversation page in the admin

    def get(self, request: Request, token: str, chat_number: str) -> HttpResponse:
        """A page, newest first."""
        parameters = query_parameters(request)
        query = clean_query(parameters.get("query"))
        window = read_window(parameters, descending=True)
        page, backend = search(
            (token, int(chat_number)),
            query,
            lambda hits: _pager(hits, query).page(request, parameters, window),
        )
        return json_response(page, headers={"Search-Backend": backend})


def _pager(hits: Source[Message], query: str) -> Pager[Message]:
    return Pager[Message](
        source=hits,
        number_of=lambda message: message.message_number,
        represent=lambda message: {
            **MESSAGES.as_json(message),
            "highlight": highlight(message.body, query),
        },
    )


urlpatterns = [
    re_path(
        rf"{APPLICATIONS}/{TOKEN}/chats/{CHAT_NUMBER}/messages/search/?\Z", MessageSearch.as_view()
    ),
]
