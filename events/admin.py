"""Events in the admin."""

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.safestring import SafeString

from events.models import ApplicationEvent
from operations.admin.cells import conversation_link, list_link
from operations.admin.lists import ReadOnlyAdmin
from operations.admin.records import key_parts

_KEY = ("application_token", "event_number")


@admin.register(ApplicationEvent)
class EventAdmin(ReadOnlyAdmin[ApplicationEvent]):
    """The logs of all applications, newest first."""

    list_display = ("event_number", "type", "application", "items", "created_at")
    fields = ("application", "event_number", "type", "items", "version", "created_at")
    search_fields = _KEY
    search_help_text = "Search by TOKEN or by TOKEN EVENT, with a space or a slash between."

    @admin.display(description="application")
    def application(self, event: ApplicationEvent) -> SafeString:
        token = event.application_token
        return list_link("applications.application", (token,), token)

    @admin.display(description="chat and messages")
    def items(self, event: ApplicationEvent) -> SafeString | str:
        """A link to the chat or to the first message."""
        if event.chat_number is None:
            return ""
        text = str(event.chat_number)
        if event.first_number:
            text += f"/{event.first_number}"
        if event.size > 1:
            text += f" to {event.last_number}"
        token = event.application_token
        return conversation_link(token, event.chat_number, text, event.first_number)

    def find(
        self, rows: "QuerySet[ApplicationEvent]", text: str
    ) -> "QuerySet[ApplicationEvent] | None":
        """The events of an application, or the one of this number."""
        parts = key_parts(text, len(_KEY))
        if parts is None:
            return None
        return rows.filter(**dict(zip(_KEY, parts, strict=False))).order_by("-event_number")
