"""The routes of chats, whole: one comparison finds each."""

from django.urls import re_path

from api.views import APPLICATIONS, CHAT_NUMBER, TOKEN
from applications.record_views import RecordCollection, RecordItem
from chats.models import Chat
from chats.records import CHATS
from chats.schema import describe_collection, describe_item


@describe_collection
class ChatCollection(RecordCollection):
    """The chats of one application."""

    record_type = CHATS
    models = (Chat,)


@describe_item
class ChatItem(RecordItem):
    """One chat."""

    record_type = CHATS
    models = (Chat,)


urlpatterns = [
    re_path(rf"{APPLICATIONS}/{TOKEN}/chats/?\Z", ChatCollection.as_view()),
    re_path(rf"{APPLICATIONS}/{TOKEN}/chats/{CHAT_NUMBER}/?\Z", ChatItem.as_view()),
]
