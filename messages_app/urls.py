"""Routes below /api/v1."""

from django.urls import re_path

from core.http.views import CHAT_NUMBER, MESSAGE_NUMBER, TOKEN
from messages_app.views import MessageBulk, MessageCollection, MessageItem

_MESSAGES = rf"^applications/{TOKEN}/chats/{CHAT_NUMBER}/messages"

urlpatterns = [
    re_path(rf"{_MESSAGES}/?\Z", MessageCollection.as_view()),
    re_path(rf"{_MESSAGES}/bulk/?\Z", MessageBulk.as_view()),
    re_path(rf"{_MESSAGES}/{MESSAGE_NUMBER}/?\Z", MessageItem.as_view()),
]
