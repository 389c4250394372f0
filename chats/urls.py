"""The routes, whole: one comparison finds each."""

from django.urls import re_path

from api.views import APPLICATIONS, CHAT_NUMBER, TOKEN
from chats.views import ChatCollection, ChatItem

urlpatterns = [
    re_path(rf"{APPLICATIONS}/{TOKEN}/chats/?\Z", ChatCollection.as_view()),
    re_path(rf"{APPLICATIONS}/{TOKEN}/chats/{CHAT_NUMBER}/?\Z", ChatItem.as_view()),
]
