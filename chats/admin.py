"""Chats in the admin."""

from django import forms
from django.contrib import admin
from django.utils.safestring import SafeString

from applications.admin import ApplicationTokenField
from chats.models import Chat
from chats.records import CHATS
from operations.admin.cells import list_link, preview
from operations.admin.fields import MetadataField, NameField
from operations.admin.records import TIMES, NumberedAdmin


class ChatForm(forms.ModelForm[Chat]):
    """Name and metadata are editable."""

    name = NameField(label="Name")
    metadata = MetadataField(label="Metadata")

    class Meta:
        model = Chat
        fields: tuple[str, ...] = ("name", "metadata")


class NewChatForm(ChatForm):
    """A new chat also needs its application."""

    application_token = ApplicationTokenField(label="Application token")

    class Meta(ChatForm.Meta):
        fields = ("application_token", "name", "metadata")


@admin.register(Chat)
class ChatAdmin(NumberedAdmin[Chat]):
    """Chats, with links to their application and messages."""

    record_type = CHATS
    form = ChatForm
    add_form = NewChatForm
    add_fields = ("application_token", "name", "metadata")
    fields = ("application", "chat_number", "name", "metadata", "messages", "conversation", *TIMES)
    editable = ("name", "metadata")
    not_listed = ("metadata",)
    list_display = (
        "chat_number",
        "application",
        "short_name",
        "messages",
        "conversation",
        "created_at",
    )
    search_help_text = "Search by TOKEN or by TOKEN CHAT, with a space or a slash between."

    @admin.display(description="name")
    def short_name(self, chat: Chat) -> SafeString:
        return preview(chat.name)

    @admin.display(description="messages")
    def messages(self, chat: Chat) -> SafeString:
        return list_link("messages_app.message", chat.key, chat.messages_count)
