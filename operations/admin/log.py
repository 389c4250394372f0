"""The log of the admin: who changed what, there or through the API. It cannot be edited."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from django.utils.safestring import SafeString

from infra.natural_keys import with_keys
from ingest.edits import store_if_pending
from ingest.records import NumberedRow
from operations.admin.cells import preview
from operations.admin.lists import ReadOnlyAdmin


def write(user: Any, rows: Iterable[Model], flag: int, what: str | list[dict[str, Any]]) -> None:
    """Log a change of each of these rows by the user.

    `what` is a sentence, or a list in the format of Django's own entries.
    """
    named = list(rows)
    if named:
        LogEntry.objects.log_actions(user.pk, named, flag, what)


def note_added(user: Any, rows: Sequence[NumberedRow]) -> None:
    """Log that the user has added these rows of one kind.

    Pending rows are stored first, because the log refers to rows by primary key. Raises
    OperationalError.
    """
    for row in rows:
        store_if_pending(row.key)
    kind = rows[0].record_type
    wanted = with_keys(kind.key_fields, [row.key for row in rows])
    note_stored(user, kind.model._default_manager.filter(wanted).order_by("pk"))


def note_stored(user: Any, rows: "QuerySet[Any]") -> None:
    """Log added rows that are not logged yet: a repeat may follow a request that failed here."""
    kind = ContentType.objects.get_for_model(rows.model)
    entries = LogEntry.objects.filter(content_type=kind, action_flag=ADDITION)
    added = list(rows)
    logged = entries.filter(object_id__in=[str(row.pk) for row in added])
    known = set(logged.values_list("object_id", flat=True))
    write(user, [row for row in added if str(row.pk) not in known], ADDITION, [{"added": {}}])


def note_edited(user: Any, row: Model, fields: Iterable[str]) -> None:
    """Log that the user has edited these fields of the row."""
    labels = [field.capitalize() for field in fields]
    write(user, [row], CHANGE, [{"changed": {"fields": labels}}])


def note_erased(user: Any, row: Model) -> None:
    """Log that the user has erased the row, which stays as a tombstone."""
    write(user, [row], CHANGE, "Erased.")


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
        if entry.is_deletion() and not entry.change_message:
            return preview("Deleted.")
        return preview(entry.get_change_message())
