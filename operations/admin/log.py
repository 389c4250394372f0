"""The log of the admin: who changed what. It cannot be edited."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.db.models import Model
from django.http import HttpRequest
from django.utils.safestring import SafeString

from operations.admin.cells import preview
from operations.admin.lists import ReadOnlyAdmin

__all__ = ["CHANGE", "DELETION", "note", "write"]


def note(request: HttpRequest, row: Model, flag: int, what: str) -> None:
    """Log a change of this row by the user of the request."""
    write(request.user, [row], flag, what)


def write(user: Any, rows: Iterable[Model], flag: int, what: str | list[dict[str, Any]]) -> None:
    """Log a change of each of these rows by the user.

    `what` is a sentence, or a list in the format of Django's own entries.
    """
    named = list(rows)
    if named:
        LogEntry.objects.log_actions(user.pk, named, flag, what)


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin[LogEntry]):
    """All changes made in the admin, including actions."""

    list_display = ("action_time", "user", "content_type", "changed_object", "change")
    list_select_related = ("user", "content_type")
    fields = ("action_time", "user", "content_type", "object_id", "object_repr", "change")

    @admin.display(description="object")
    def changed_object(self, entry: LogEntry) -> SafeString:
        """The name of the object at the time of the change."""
        return preview(entry.object_repr)

    @admin.display(description="change")
    def change(self, entry: LogEntry) -> SafeString:
        """The description of the change."""
        if entry.is_deletion() and not entry.change_message:
            return preview("Deleted.")
        return preview(entry.get_change_message())
