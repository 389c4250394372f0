"""The search routes of the API, each as one regular expression so that a single match finds it."""

from collections.abc import Callable, Mapping
from functools import partial
from operator import itemgetter
from typing import Any

from django.http import HttpResponse
from django.urls import re_path
from rest_framework.request import Request

from api.views import APPLICATIONS, CHAT_NUMBER, TOKEN, ApiView, json_response
from chats.models import Chat
from infra.database import wait_in_thread
from listing.pages import Pager, query_parameters, read_window
from messages_app.filters import FILTER_NAMES, Filters, read_filters
from messages_app.models import Message
from messages_app.records import MESSAGES
from search.by_time import TimePager, read_time_window, search_application
from search.fold_and_highlight import highlight
from search.schema import describe_application_search, describe_search
from search.service import Criteria, clean_query, index_answers, search_chat

#: A longer body is highlighted in a thread.
_LONG_CHARACTERS = 1000


class _Search(ApiView):
    """What both routes share."""

    database_methods = ()  # the index alone may be enough
    models = (Chat, Message)  # the same as for the conversation page in the admin


@describe_search
class MessageSearch(_Search):
    """The messages of one chat that contain a text."""

    suspendable_methods = ("GET", "HEAD")

    @classmethod
    def suspends(cls, method: str, query: str) -> bool:
        """Only while the index answers: the table is read in a thread."""
        return super().suspends(method, query) and index_answers()

    def get(self, request: Request, token: str, chat_number: str) -> HttpResponse:
        """A page, newest first."""
        parameters = query_parameters(request)
        query = clean_query(parameters.get("query"))
        window = read_window(parameters, descending=True)
        page, backend = search_chat(
            Criteria((token, int(chat_number)), query, _filters(parameters)),
            lambda hits: Pager[Any](
                source=hits, number_of=itemgetter(0), represent=_shown(query)
            ).page(request, parameters, window),
        )
        return json_response(page, headers={"Search-Backend": backend})


@describe_application_search
class ApplicationSearch(_Search):
    """The messages of all chats of an application that contain a text."""

    def get(self, request: Request, token: str) -> HttpResponse:
        """A page, newest first."""
        parameters = query_parameters(request)
        query = clean_query(parameters.get("query"))
        window = read_time_window((token,), parameters)
        page, backend = search_application(
            Criteria((token,), query, _filters(parameters)),
            lambda hits: TimePager((token,), hits, _shown(query)).page(request, parameters, window),
        )
        return json_response(page, headers={"Search-Backend": backend})


def _filters(parameters: Mapping[str, str]) -> Filters | None:
    """The filters, if the parameters name any. Raises Invalid."""
    return None if FILTER_NAMES.isdisjoint(parameters) else read_filters(parameters)


def _shown(query: str) -> Callable[[Any], dict[str, object]]:
    """The JSON of a hit."""

    def show(message: Any) -> dict[str, object]:
        work = partial(highlight, message.body, query)
        is_long = len(message.body) > _LONG_CHARACTERS
        marked = wait_in_thread(work) if is_long else work()
        return {**MESSAGES.as_json(message), "highlight": marked}

    return show


urlpatterns = [
    re_path(
        rf"{APPLICATIONS}/{TOKEN}/chats/{CHAT_NUMBER}/messages/search/?\Z", MessageSearch.as_view()
    ),
    re_path(rf"{APPLICATIONS}/{TOKEN}/messages/search/?\Z", ApplicationSearch.as_view()),
]
