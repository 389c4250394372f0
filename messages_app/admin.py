"""Messages in the admin."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest
from django.utils.safestring import SafeString

from api.views import CHAT_NUMBER, MESSAGE_NUMBER, TOKEN
from applications.admin.fields import ApplicationTokenField
from chats.errors import ChatNotFound
from chats.selectors import require_chat
from ingest.read_your_writes import store_if_pending
from listing.pages import MAX_NUMBER
from messages_app.models import Message
from messages_app.selectors import get_message
from messages_app.services import create_message, edit_message
from operations.admin.cells import PREVIEW_CHARACTERS, conversation_link, list_link, preview
from operations.admin.fields import BodyField
from operations.admin.key_search import rows_by_key
from operations.admin.records import RecordAdmin

_KEY = {"application_token": TOKEN, "chat_number": CHAT_NUMBER, "message_number": MESSAGE_NUMBER}


class MessageForm(forms.ModelForm[Message]):
    """The body is the only editable field."""

    body = BodyField(label="Body", help_text="Kept as it is, spaces included; at most 16 KiB.")

    class Meta:
        model = Message
        fields: tuple[str, ...] = ("body",)


class NewMessageForm(MessageForm):
    """A new message also needs its chat."""

    application_token = ApplicationTokenField(label="Application token")
    chat_number = forms.IntegerField(label="Chat number", min_value=1, max_value=MAX_NUMBER)

    class Meta(MessageForm.Meta):
        fields = ("application_token", "chat_number", "body")

    def clean(self) -> dict[str, Any]:
        """The application must have the chat."""
        values = self.cleaned_data
        if {"application_token", "chat_number"} <= set(values):
            try:
                require_chat(
                    application_token=values["application_token"],
                    chat_number=values["chat_number"],
                )
            except ChatNotFound as error:
                self.add_error("chat_number", error.detail)
        return values


@admin.register(Message)
class MessageAdmin(RecordAdmin[Message]):
    """Messages, with links to their chat and application."""

    form = MessageForm
    add_form = NewMessageForm
    add_fields = ("application_token", "chat_number", "body")
    fields = (
        "application",
        "chat",
        "message_number",
        "conversation",
        "body",
        "created_at",
        "updated_at",
        "version",
    )
    editable = "body"
    not_listed = ("body",)
    list_display = ("message_number", "chat", "beginning", "created_at")
    search_fields = ("application_token", "chat_number", "message_number")
    search_help_text = (
        "Search by TOKEN, by TOKEN CHAT or by TOKEN CHAT MESSAGE, with spaces or slashes between."
    )

    @admin.display(description="application")
    def application(self, message: Message) -> SafeString:
        """The application, as a link."""
        token = message.application_token
        return list_link("applications.application", (token,), token)

    @admin.display(description="chat")
    def chat(self, message: Message) -> SafeString:
        """The chat, as a link."""
        key = (message.application_token, message.chat_number)
        return list_link("chats.chat", key, f"{message.application_token}/{message.chat_number}")

    @admin.display(description="conversation")
    def conversation(self, message: Message) -> SafeString:
        """A link to the message in its conversation."""
        return conversation_link(
            message.application_token, message.chat_number, "Read", message.message_number
        )

    @admin.display(description="body")
    def beginning(self, message: Message) -> SafeString:
        """The beginning of the body."""
        return preview(vars(message)["beginning"])

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple["QuerySet[Message]", bool]:
        """A list leaves the bodies in the database, but for their beginnings."""
        rows, duplicates = super().get_search_results(request, queryset, search_term)
        return rows.annotate(beginning=Left("body", PREVIEW_CHARACTERS + 1)), duplicates

    def find(self, rows: "QuerySet[Message]", text: str) -> "QuerySet[Message] | None":
        """By key."""
        return rows_by_key(rows, _KEY, text)

    def create(self, values: Mapping[str, Any]) -> Message:
        """By the same service as the API; stored at once, since its page comes next."""
        created = create_message(
            application_token=values["application_token"],
            chat_number=values["chat_number"],
            body=values["body"],
        )
        store_if_pending(created.key)
        return get_message(
            application_token=values["application_token"],
            chat_number=values["chat_number"],
            message_number=created.number,
        )

    def edit(self, row: Message, values: Mapping[str, Any]) -> Message:
        """By the same service as the API."""
        return edit_message(
            application_token=row.application_token,
            chat_number=row.chat_number,
            message_number=row.message_number,
            body=values["body"],
        )
