"""Messages in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from applications.admin import ApplicationTokenField
from chats.records import ChatNotFound
from ingest import erasure
from ingest.read_your_writes import MAX_NUMBER, require_parent
from messages_app.models import Message
from messages_app.records import MESSAGES
from operations.admin.cells import PREVIEW_CHARACTERS, list_link, preview
from operations.admin.confirmation import Confirmation, confirmation_page
from operations.admin.fields import BodyField, MetadataField, OptionalNameField
from operations.admin.log import note_erased
from operations.admin.records import TIMES, NumberedAdmin

_ERASE = Confirmation(
    action="erase",
    title="Erase messages",
    warning="Body, sender and metadata are gone for good. The numbers and times stay.",
)


def may_read_conversations(user: User | AnonymousUser) -> bool:
    """Whether the user may read chats with their messages."""
    return all(map(user.has_perm, ("chats.view_chat", "messages_app.view_message")))


class MessageForm(forms.ModelForm[Message]):
    """Body, sender and metadata are editable."""

    body = BodyField(label="Body", help_text="Kept as it is, spaces included; at most 16 KiB.")
    sender = OptionalNameField(label="Sender", help_text="Who wrote it; may be empty.")
    metadata = MetadataField(label="Metadata")

    class Meta:
        model = Message
        fields: tuple[str, ...] = ("body", "sender", "metadata")


class NewMessageForm(MessageForm):
    """A new message also needs its chat."""

    application_token = ApplicationTokenField(label="Application token")
    chat_number = forms.IntegerField(label="Chat number", min_value=1, max_value=MAX_NUMBER)

    class Meta(MessageForm.Meta):
        fields = ("application_token", "chat_number", "body", "sender", "metadata")

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
    add_fields = ("application_token", "chat_number", "body", "sender", "metadata")
    fields = (
        "application",
        "chat",
        "message_number",
        "conversation",
        "body",
        "sender",
        "metadata",
        *TIMES,
        "erased_at",
    )
    editable = ("body", "sender", "metadata")
    not_listed = ("body", "metadata")
    list_display = ("message_number", "chat", "short_sender", "beginning", "created_at")
    actions = ("erase",)
    search_help_text = (
        "Search by TOKEN, by TOKEN CHAT or by TOKEN CHAT MESSAGE, with spaces or slashes between."
    )

    @admin.display(description="chat")
    def chat(self, message: Message) -> SafeString:
        key = (message.application_token, message.chat_number)
        return list_link("chats.chat", key, f"{message.application_token}/{message.chat_number}")

    @admin.display(description="sender")
    def short_sender(self, message: Message) -> SafeString:
        return preview(message.sender or "")

    @admin.display(description="body")
    def beginning(self, message: Message) -> SafeString | str:
        return "(erased)" if message.erased_at else preview(vars(message)["beginning"])

    def has_change_permission(self, request: HttpRequest, obj: Message | None = None) -> bool:
        """An erased message has nothing to change."""
        is_erased = obj is not None and obj.erased_at is not None
        return not is_erased and super().has_change_permission(request, obj)

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("messages_app.delete_message")

    @admin.action(description="Erase the selected messages", permissions=["erase"])
    def erase(self, request: HttpRequest, rows: "QuerySet[Message]") -> HttpResponse | None:
        page = confirmation_page(self, request, rows, _ERASE)
        if page is not None:
            return page
        for message in rows:
            if erasure.erase(MESSAGES, MESSAGES.key_of(message)):
                note_erased(request.user, message)
                self.message_user(request, f"Erased: {message}", messages.SUCCESS)
        return None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple["QuerySet[Message]", bool]:
        """A list leaves the bodies in the database, but for their beginnings."""
        rows, duplicates = super().get_search_results(request, queryset, search_term)
        return rows.annotate(beginning=Left("body", PREVIEW_CHARACTERS + 1)), duplicates
