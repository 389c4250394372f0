"""All routes. Unknown addresses are answered here too, so that no HTML page appears."""

from django.conf import settings
from django.contrib import admin
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView

from api import problems
from api.openapi_document import DocsView, SchemaView
from api.views import CHAT_NUMBER, TOKEN
from applications.views import urlpatterns as applications
from chats.views import urlpatterns as chats
from demo.views import urlpatterns as demo
from events.streams.conversation_token import conversation_token
from events.streams.views import urlpatterns as streams
from events.views import urlpatterns as events
from messages_app.views import urlpatterns as messages
from operations import dashboard, health
from operations.admin import logins
from operations.health import MetricsView
from search.conversation_page import conversation, conversation_part
from search.views import urlpatterns as search
from webhooks.views import urlpatterns as webhooks

admin.site.site_header = admin.site.site_title = "Chat system"
admin.site.site_url = None  # there are no other pages
admin.site.login_form = logins.LoginForm
admin.site.index_template = "operations/admin/index.html"

handler400 = problems.bad_request
handler403 = problems.forbidden
handler404 = problems.not_found
handler500 = problems.server_error

_CONVERSATION = rf"^admin/conversations/{TOKEN}/{CHAT_NUMBER}/"

urlpatterns = [
    *messages,
    *search,
    *chats,
    *applications,
    *events,
    *streams,
    *webhooks,
    re_path(r"^api/v1/schema/?\Z", SchemaView.as_view(), name="schema"),
    re_path(r"^api/v1/docs/?\Z", DocsView.as_view(url_name="schema"), name="docs"),
    re_path(r"^health/live/?\Z", health.Live.as_view()),
    re_path(r"^health/ready/?\Z", health.Ready.as_view()),
    re_path(r"^metrics/?\Z", MetricsView.as_view()),
    *(demo if settings.ENVIRONMENT.shows_demo else ()),
    path("admin", RedirectView.as_view(url="/admin/")),
    re_path(rf"{_CONVERSATION}\Z", admin.site.admin_view(conversation), name="conversation"),
    re_path(
        rf"{_CONVERSATION}messages\Z",
        admin.site.admin_view(conversation_part),
        name="conversation-part",
    ),
    re_path(
        rf"{_CONVERSATION}stream-token\Z",
        admin.site.admin_view(conversation_token),
        name="conversation-token",
    ),
    path("admin/dashboard/", admin.site.admin_view(dashboard.page), name="dashboard"),
    path("admin/dashboard/data", admin.site.admin_view(dashboard.data), name="dashboard-data"),
    path("admin/login/", logins.login),
    path("admin/", admin.site.urls),
    # With DEBUG on, Django would show its own page for an unknown address.
    re_path(r"", csrf_exempt(problems.not_found)),
]
