"""Chats in the admin."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.utils.safestring import SafeString

from api.views import CHAT_NUMBER, TOKEN
from applications.admin.fields import ApplicationTokenField
from chats.models import Chat
from chats.selectors import get_chat
from chats.services import create_chat, rename_chat
from ingest.read_your_writes import store_if_pending
from operations.admin.cells import conversation_link, list_link, preview
from operations.admin.fields import NameField
from operations.admin.key_search import rows_by_key
from operations.admin.records import RecordAdmin

_KEY = {"application_token": TOKEN, "chat_number": CHAT_NUMBER}


class ChatForm(forms.ModelForm[Chat]):
    """The name is the only editable field."""

    name = NameField(label="Name")

    class Meta:
        model = Chat
        fields: tuple[str, ...] = ("name",)


class NewChatForm(ChatForm):
    """A new chat also needs its application."""

    application_token = ApplicationTokenField(label="Application token")

    class Meta(ChatForm.Meta):
        fields = ("application_token", "name")


@admin.register(Chat)
class ChatAdmin(RecordAdmin[Chat]):
    """Chats, with links to their application and messages."""

    form = ChatForm
    add_form = NewChatForm
    add_fields = ("application_token", "name")
    fields = (
        "application",
        "chat_number",
        "name",
        "messages",
        "conversation",
        "created_at",
        "updated_at",
        "version",
    )
    editable = "name"
    list_display = (
        "chat_number",
        "application",
        "short_name",
        "messages",
        "conversation",
        "created_at",
    )
    search_fields = ("application_token", "chat_number")
    search_help_text = "Search by TOKEN or by TOKEN CHAT, with a space or a slash between."

    @admin.display(description="application")
    def application(self, chat: Chat) -> SafeString:
        """The application, as a link."""
        return list_link(
            "applications.application", (chat.application_token,), chat.application_token
        )

    @admin.display(description="name")
    def short_name(self, chat: Chat) -> SafeString:
        """The beginning of the name."""
        return preview(chat.name)

    @admin.display(description="messages")
    def messages(self, chat: Chat) -> SafeString:
        """The number of messages, as a link to them."""
        key = (chat.application_token, chat.chat_number)
        return list_link("messages_app.message", key, chat.messages_count)

    @admin.display(description="conversation")
    def conversation(self, chat: Chat) -> SafeString:
        """A link to the conversation."""
        return conversation_link(chat.application_token, chat.chat_number, "Read")

    def find(self, rows: "QuerySet[Chat]", text: str) -> "QuerySet[Chat] | None":
        """Search by key."""
        return rows_by_key(rows, _KEY, text)

    def create(self, values: Mapping[str, Any]) -> Chat:
        """Create it by the service of the API, and store it at once for its page."""
        token = values["application_token"]
        created = create_chat(application_token=token, name=values["name"])
        store_if_pending(created.key)
        return get_chat(application_token=token, chat_number=created.number)

    def edit(self, row: Chat, values: Mapping[str, Any]) -> Chat:
        """Rename it by the service of the API."""
        return rename_chat(
            application_token=row.application_token,
            chat_number=row.chat_number,
            name=values["name"],
        )
