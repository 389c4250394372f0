"""The routes, whole: one comparison finds each."""

from django.urls import re_path

from api.views import APPLICATIONS, CHAT_NUMBER, TOKEN
from search.views import MessageSearch

urlpatterns = [
    re_path(
        rf"{APPLICATIONS}/{TOKEN}/chats/{CHAT_NUMBER}/messages/search/?\Z", MessageSearch.as_view()
    ),
]
