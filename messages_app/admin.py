"""Messages in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest
from django.utils.safestring import SafeString

from applications.admin import ApplicationTokenField
from chats.records import ChatNotFound
from ingest.read_your_writes import require_parent
from listing.pages import MAX_NUMBER
from messages_app.models import Message
from messages_app.records import MESSAGES
from operations.admin.cells import PREVIEW_CHARACTERS, list_link, preview
from operations.admin.fields import BodyField
from operations.admin.records import TIMES, NumberedAdmin


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
        values = self.cleaned_data
        if {"application_token", "chat_number"} <= set(values):
            try:
                require_parent(MESSAGES, (values["application_token"], values["chat_number"]))
            except ChatNotFound as error:
                self.add_error("chat_number", error.detail)
        return values


@admin.register(Message)
class MessageAdmin(NumberedAdmin[Message]):
    """Messages, with links to their chat and application."""

    record_type = MESSAGES
    form = MessageForm
    add_form = NewMessageForm
    add_fields = ("application_token", "chat_number", "body")
    fields = ("application", "chat", "message_number", "conversation", "body", *TIMES)
    editable = "body"
    not_listed = ("body",)
    list_display = ("message_number", "chat", "beginning", "created_at")
    search_help_text = (
        "Search by TOKEN, by TOKEN CHAT or by TOKEN CHAT MESSAGE, with spaces or slashes between."
    )

    @admin.display(description="chat")
    def chat(self, message: Message) -> SafeString:
        key = (message.application_token, message.chat_number)
        return list_link("chats.chat", key, f"{message.application_token}/{message.chat_number}")

    @admin.display(description="body")
    def beginning(self, message: Message) -> SafeString:
        return preview(vars(message)["beginning"])

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple["QuerySet[Message]", bool]:
        """A list leaves the bodies in the database, but for their beginnings."""
        rows, duplicates = super().get_search_results(request, queryset, search_term)
        return rows.annotate(beginning=Left("body", PREVIEW_CHARACTERS + 1)), duplicates
