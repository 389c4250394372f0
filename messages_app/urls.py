"""The routes, whole: one comparison finds each."""

from django.urls import re_path

from api.views import APPLICATIONS, CHAT_NUMBER, MESSAGE_NUMBER, TOKEN
from messages_app.views import MessageBulk, MessageCollection, MessageItem

_MESSAGES = rf"{APPLICATIONS}/{TOKEN}/chats/{CHAT_NUMBER}/messages"

urlpatterns = [
    re_path(rf"{_MESSAGES}/?\Z", MessageCollection.as_view()),
    re_path(rf"{_MESSAGES}/bulk/?\Z", MessageBulk.as_view()),
    re_path(rf"{_MESSAGES}/{MESSAGE_NUMBER}/?\Z", MessageItem.as_view()),
]
