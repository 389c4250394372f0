"""Routes below /api/v1."""

from django.urls import re_path

from chats.views import ChatCollection, ChatItem
from core.http.views import CHAT_NUMBER, TOKEN

urlpatterns = [
    re_path(rf"^applications/{TOKEN}/chats/?\Z", ChatCollection.as_view()),
    re_path(rf"^applications/{TOKEN}/chats/{CHAT_NUMBER}/?\Z", ChatItem.as_view()),
]
