"""The route of search."""

from contextlib import suppress

from rest_framework.request import Request
from rest_framework.response import Response

from core.http.paging import Pager, Source, read_window
from core.http.parsers import query_parameters
from core.http.views import ApiView
from core.text import clean_query
from messages_app.models import Message
from messages_app.representation import represent_message
from search.backends import backends
from search.errors import IndexUnusable
from search.highlight import highlight
from search.schema import describe_search
from search.scope import SearchAway, require_searchable


@describe_search
class MessageSearch(ApiView):
    """The messages of one chat that contain a text."""

    def get(self, request: Request, token: str, chat_number: str) -> Response:
        """A page, newest first."""
        parameters = query_parameters(request)
        query = clean_query(parameters.get("query"))
        window = read_window(parameters, descending=True)
        require_searchable(application_token=token, chat_number=int(chat_number))
        for backend in backends():
            with suppress(IndexUnusable):
                hits = backend.hits(
                    application_token=token, chat_number=int(chat_number), query=query
                )
                page = _pager(hits, query).page(request, parameters, window)
                return Response(page, headers={"Search-Backend": backend.name})
        raise SearchAway


def _pager(hits: Source[Message], query: str) -> Pager[Message]:
    return Pager[Message](
        source=hits,
        number_of=lambda message: message.message_number,
        represent=lambda message: {
            **represent_message(message),
            "highlight": highlight(message.body, query),
        },
    )
