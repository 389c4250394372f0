"""The route of the events of an application."""

from django.http import HttpResponse
from django.urls import re_path
from rest_framework.request import Request

from api.views import APPLICATIONS, TOKEN, ApiView, json_response
from applications.services import get_application
from chats.models import Chat
from events.items import entries_json
from events.pages import read_limit, read_page, read_position
from events.schema import describe_events
from listing.pages import page_json, query_parameters
from messages_app.models import Message


@describe_events
class EventCollection(ApiView):
    """What happened in one application."""

    models = (Chat, Message)

    def get(self, request: Request, token: str) -> HttpResponse:
        """A page, oldest first."""
        parameters = query_parameters(request)
        after, limit = read_position(parameters), read_limit(parameters)
        application = get_application(token=token)
        page = read_page(application, after, limit)
        results = entries_json(application, page.entries)
        return json_response(
            page_json(request, parameters, results, page.following, page.preceding)
        )


urlpatterns = [re_path(rf"{APPLICATIONS}/{TOKEN}/events/?\Z", EventCollection.as_view())]
