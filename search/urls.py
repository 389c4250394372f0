"""Routes below /api/v1."""

from django.urls import re_path

from core.http.views import CHAT_NUMBER, TOKEN
from search.views import MessageSearch

urlpatterns = [
    re_path(
        rf"^applications/{TOKEN}/chats/{CHAT_NUMBER}/messages/search/?\Z", MessageSearch.as_view()
    ),
]
