"""The route of search, as one regular expression so that a single match finds it."""

from django.urls import re_path

from api.views import APPLICATIONS, CHAT_NUMBER, TOKEN
from search.views import MessageSearch

urlpatterns = [
    re_path(
        rf"{APPLICATIONS}/{TOKEN}/chats/{CHAT_NUMBER}/messages/search/?\Z", MessageSearch.as_view()
    ),
]
