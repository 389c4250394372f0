"""The admin's log: who changed what, the latest first. Nobody changes it."""

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
    """Log that the user of this request has done this to the row."""
    write(request.user, [row], flag, what)


def write(user: Any, rows: Iterable[Model], flag: int, what: str | list[dict[str, Any]]) -> None:
    """Log that the user has done this to each of the rows.

    `what` is a sentence, or a list in the form of Django's own entries.
    """
    named = list(rows)
    if named:
        LogEntry.objects.log_actions(user.pk, named, flag, what)


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin[LogEntry]):
    """What was done in the admin, the actions included."""

    list_display = ("action_time", "user", "content_type", "of", "what")
    list_select_related = ("user", "content_type")
    fields = ("action_time", "user", "content_type", "object_id", "object_repr", "what")

    @admin.display(description="of")
    def of(self, entry: LogEntry) -> SafeString:
        """What was changed, as it was called then."""
        return preview(entry.object_repr)

    @admin.display(description="what")
    def what(self, entry: LogEntry) -> SafeString:
        """What was done to it."""
        if entry.is_deletion() and not entry.change_message:
            return preview("Deleted.")
        return preview(entry.get_change_message())
